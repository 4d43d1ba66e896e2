import { declareGrowth } from './growth.ts';

declareGrowth({ rows: 1_000_000, events: 200_000, longestMs: 50 });
