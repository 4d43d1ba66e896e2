import { declareGrowth } from './growth.ts';

// Wide bounds, because other tests run at the same time. The long form tests the real bound for the writer.
declareGrowth({ rows: 5000, events: 1000, longestMs: 500 });
