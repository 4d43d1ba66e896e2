import { declareRaces } from './races.ts';

declareRaces(10);
