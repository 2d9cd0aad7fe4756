import { readFileSync } from 'fs';
import { join } from 'path';

interface ITable {
  durations: { text: string; seconds?: number; error?: string }[];
  formats: { seconds: number; text: string }[];
  countdowns: { seconds: number; text: string }[];
  moments: { text: string; zone: string; now: string; at?: string; told?: string; error?: string }[];
}

/** The lengths and times, written and shown, that the Python side passes too. */
export const table = JSON.parse(
  readFileSync(join(__dirname, '../../tests/data/durations.json'), 'utf8')
) as ITable;
