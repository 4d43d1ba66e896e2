import { declareRaces } from './races.ts';

declareRaces({ rounds: 6, rarer: 4 });
