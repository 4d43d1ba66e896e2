import { declareUpgrades } from './upgrades.ts';

declareUpgrades({ stride: 25, kills: 2 });
