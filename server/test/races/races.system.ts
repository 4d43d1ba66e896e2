import { declareRaces } from './races.ts';

declareRaces({ rounds: 50, rarer: 20, hashesCheaply: true });
