import { declareRaces } from './races.ts';

declareRaces(50, { hashesCheaply: true });
