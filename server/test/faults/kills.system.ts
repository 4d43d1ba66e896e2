import { declareKills } from './kills.ts';

declareKills(3);
