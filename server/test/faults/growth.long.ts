import { declareGrowth } from './growth.ts';

declareGrowth(1_000_000, 200_000);
