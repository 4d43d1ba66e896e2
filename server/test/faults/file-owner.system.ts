import { declareFileOwner, someCommands } from './file-owner.ts';

declareFileOwner(someCommands);
