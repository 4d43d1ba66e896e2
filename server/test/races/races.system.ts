import { declareRaces } from './races.ts';

declareRaces({ rounds: 20, rarer: 10 });
