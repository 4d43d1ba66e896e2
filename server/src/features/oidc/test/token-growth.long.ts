import { declareTokenGrowth } from './token-growth.ts';

declareTokenGrowth({ tokens: 1_000_000, longestMs: 50 });
