import { declareUpgrades } from './upgrades.ts';

declareUpgrades({ stride: 1, kills: 50 });
