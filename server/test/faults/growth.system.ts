import { declareGrowth } from './growth.ts';

// Wide bounds: other tests run beside it. The long form holds the writer to what it is to be.
declareGrowth({ rows: 5000, events: 1000, longestMs: 500 });
