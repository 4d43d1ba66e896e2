import { declareGrowth } from './growth.ts';

declareGrowth(5000, 1000);
