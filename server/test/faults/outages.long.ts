import { declareOutages } from './outages.ts';

declareOutages(20);
