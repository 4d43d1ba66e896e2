import { declareRaces } from './races.ts';

declareRaces({ rounds: 12, rarer: 8, hashesCheaply: true });
