import { declareRaces } from './races.ts';

declareRaces({ rounds: 1000, hashesReally: true });
