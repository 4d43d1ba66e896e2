import { declareOrders } from './orders.ts';

declareOrders(Infinity);
