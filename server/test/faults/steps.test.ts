import { declareSteps } from './steps.ts';

declareSteps({ syncs: 6, writes: 60 });
