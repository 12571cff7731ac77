// First paint, layout shift and bytes of the overview on a phone whose processor is four times slower.
// Prints one line of JSON. `node paint.mjs RUNS`
import { base, launch, phone } from '../lib.mjs';

const runs = Number(process.argv[2] ?? 5);
/** Lighthouse's mobile profile: 1.6 Mbit/s down, 750 kbit/s up, 150 ms round trip. */
const SLOW_4G = { offline: false, latency: 150, downloadThroughput: 1.6e6 / 8, uploadThroughput: 750e3 / 8 };

const browser = await launch();
const found = { paint_ms: [], paint_slow_line_ms: [], shift: [], document_bytes: [], all_bytes: [] };
for (const [line, into] of [[null, 'paint_ms'], [SLOW_4G, 'paint_slow_line_ms']]) {
  for (let run = 0; run < runs; run += 1) {
    const context = await browser.newContext({ viewport: phone, deviceScaleFactor: 2, isMobile: true, hasTouch: true });
    const page = await context.newPage();
    const devtools = await context.newCDPSession(page);
    await devtools.send('Network.enable');
    await devtools.send('Emulation.setCPUThrottlingRate', { rate: 4 });
    if (line) await devtools.send('Network.emulateNetworkConditions', line);
    let all = 0, documentBytes = 0;
    const kinds = new Map();
    devtools.on('Network.responseReceived', ({ requestId, type }) => kinds.set(requestId, type));
    devtools.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => {
      all += encodedDataLength;
      if (kinds.get(requestId) === 'Document') documentBytes += encodedDataLength;
    });
    await page.addInitScript(() => {
      globalThis.shift = 0;
      new PerformanceObserver(list => { for (const entry of list.getEntries()) globalThis.shift += entry.value; })
        .observe({ type: 'layout-shift', buffered: true });
    });
    await page.goto(`${base}/`, { waitUntil: 'load' });
    const paint = await page.waitForFunction(() =>
      performance.getEntriesByName('first-contentful-paint')[0]?.startTime, null, { timeout: 30_000 });
    found[into].push(await paint.jsonValue());
    // The first events renew every value, and ages go on: nothing of it may move anything either.
    await page.waitForFunction(since => since + 4_000 < performance.now(), await paint.jsonValue());
    found.shift.push(await page.evaluate(() => globalThis.shift));
    if (!line) { found.document_bytes.push(documentBytes); found.all_bytes.push(all); }
    await context.close();
  }
}
await browser.close();
console.log(JSON.stringify(found));
