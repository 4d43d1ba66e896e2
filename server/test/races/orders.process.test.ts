import { declareOrders } from './orders.ts';

declareOrders(6);
