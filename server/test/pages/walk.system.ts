import { declareWalk } from './walk.ts';

declareWalk({ goesBackWithoutScripts: false });
