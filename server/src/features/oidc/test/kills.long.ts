import { declareKills } from './kills.ts';

declareKills({ sqlite: { first: 1, by: 1 }, postgres: { first: 1, by: 1 } });
