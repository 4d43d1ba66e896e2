import { declareTokenGrowth } from './token-growth.ts';

// Wide bounds, because other tests run at the same time. The long form tests the real bound for the writer.
declareTokenGrowth({ tokens: 10_000, longestMs: 500 });
