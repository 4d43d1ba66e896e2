import { declareFileOwner, everyCommand } from './file-owner.ts';

declareFileOwner(everyCommand);
