import { declareRaces } from './races.ts';

declareRaces(25, 2);
