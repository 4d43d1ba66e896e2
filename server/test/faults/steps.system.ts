import { declareSteps } from './steps.ts';

declareSteps({ syncs: 9, writes: 100 });
