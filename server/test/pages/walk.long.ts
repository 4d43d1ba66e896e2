import { declareWalk } from './walk.ts';

declareWalk({ goesBackWithoutScripts: true });
