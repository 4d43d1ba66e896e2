import { declareOrders } from './orders.ts';

declareOrders(12);
