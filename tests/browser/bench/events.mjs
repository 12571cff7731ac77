// From the measured time in a packet to the event in a browser: a page listens to the events of the API for SECONDS, and
// every value of every event is compared with the clock. Prints one line of JSON. `node events.mjs SECONDS`
import { base, desktop, launch } from '../lib.mjs';

const seconds = Number(process.argv[2] ?? 20);
const browser = await launch();
const page = await (await browser.newContext({ viewport: desktop })).newPage();
await page.goto(`${base}/`);
await page.evaluate(() => {
  globalThis.delays = [];
  let first = true;
  new EventSource('/api/v1/events').addEventListener('values', event => {
    const now = Date.now();
    // The first event of a stream repeats what is known already.
    if (!first) for (const value of JSON.parse(event.data)) globalThis.delays.push(now - Date.parse(value.observed_at));
    first = false;
  });
});
console.error('listening');
await new Promise(done => setTimeout(done, seconds * 1000));
const delays = (await page.evaluate(() => globalThis.delays)).sort((a, b) => a - b);
await browser.close();
const at = share => delays[Math.min(delays.length - 1, Math.floor(delays.length * share))];
console.log(JSON.stringify({ values: delays.length, p50_ms: at(0.5), p99_ms: at(0.99), highest_ms: delays.at(-1) }));
