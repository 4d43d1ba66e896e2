import { declareKills } from './kills.ts';

// Windows between two writes that are not in one transaction are at least two steps wide, or one on each engine.
declareKills({ sqlite: { first: 1, by: 3 }, postgres: { first: 2, by: 3 } });
