import { declareRaces } from './races.ts';

declareRaces(100, 10);
