import { declareOutages } from './outages.ts';

declareOutages(1);
