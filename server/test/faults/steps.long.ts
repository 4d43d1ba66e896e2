import { declareSteps } from './steps.ts';

declareSteps({ syncs: 1, writes: 1 });
