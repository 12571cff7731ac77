// What an open overview costs while stations report: bytes that reach the browser, and time of the page's main thread.
// TABS pages are open, each must load; the first stays in front. Prints one line of JSON. `node open.mjs SECONDS TABS`
import { connect, createServer } from 'node:net';
import { base, desktop, launch } from '../lib.mjs';

const [seconds, tabs] = [Number(process.argv[2] ?? 60), Number(process.argv[3] ?? 1)];
const target = new URL(base);
let received = 0, requests = 0;
const line = createServer(near => {
  const far = connect(Number(target.port), target.hostname);
  near.on('error', () => far.destroy());
  far.on('error', () => near.destroy());
  far.on('data', data => { received += data.length; });
  near.on('data', data => { requests += data.toString('latin1').split(/^GET /m).length - 1; });
  near.pipe(far);
  far.pipe(near);
});
await new Promise(done => line.listen(0, '127.0.0.1', done));
const origin = `http://127.0.0.1:${line.address().port}`;
const browser = await launch();
const context = await browser.newContext({ viewport: desktop });
const loads = [];
let page;
for (let tab = 0; tab < tabs; tab += 1) {
  const begun = performance.now();
  const opened = await context.newPage();
  await opened.goto(`${origin}/`, { timeout: 20_000 });
  loads.push(performance.now() - begun);
  page ??= opened;
}
await page.bringToFront();
const metrics = await context.newCDPSession(page);
await metrics.send('Performance.enable');
const busy = async () => {
  const { metrics: all } = await metrics.send('Performance.getMetrics');
  return all.find(({ name }) => name === 'TaskDuration').value;
};
console.error('listening');
const wait = ms => new Promise(done => setTimeout(done, ms));
await wait(15_000);
const before = { received, requests, busy: await busy(), at: performance.now() };
await wait(seconds * 1000);
const spent = (performance.now() - before.at) / 1000;
const result = {
  mb_per_hour: (received - before.received) / 1e6 / spent * 3600,
  requests_per_minute: (requests - before.requests) / spent * 60,
  main_thread_percent: (await busy() - before.busy) / spent * 100,
  longest_load_ms: Math.max(...loads),
};
await browser.close();
line.close();
console.log(JSON.stringify(result));
process.exit(0);
