import { declareRaces } from './races.ts';

declareRaces(1000);
