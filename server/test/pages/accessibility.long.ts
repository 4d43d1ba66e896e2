import { declareAccessibility } from './accessibility.ts';

declareAccessibility({ inEveryState: true });
