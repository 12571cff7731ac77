// Pages live: values change in place, a lost line is said in words, and the page goes on after it.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { base, cuttableLine, languages, launch, PATIENCE_MS, phone, withPage } from './lib.mjs';

let browser;
before(async () => { browser = await launch(); });
after(() => browser.close());

/** The measured times shown, as one number that grows when any value is renewed. */
const shown = page => page.evaluate(() =>
  [...document.querySelectorAll('main time[data-at]')].reduce((sum, time) => sum + Number(time.dataset.at), 0));
const newer = (page, before) => page.waitForFunction(
  before => [...document.querySelectorAll('main time[data-at]')].reduce((sum, time) => sum + Number(time.dataset.at), 0) > before,
  before, { timeout: PATIENCE_MS });

for (const language of languages) {
  test(`values, ages and the lost line, ${language}`, async () => {
    const line = await cuttableLine();
    try {
      await withPage(browser, { origin: line.origin }, async page => {
        await page.goto(`${line.origin}/?lang=${language}`);
        await newer(page, await shown(page));
        assert.ok(await page.locator('#disconnected').isHidden());
        line.cut();
        await page.locator('#disconnected').waitFor({ state: 'visible', timeout: PATIENCE_MS });
        assert.ok((await page.locator('#disconnected').innerText()).length > 10);
        const before = await shown(page);
        line.mend();
        await page.locator('#disconnected').waitFor({ state: 'hidden', timeout: PATIENCE_MS });
        await newer(page, before);
      });
    } finally {
      line.close();
    }
  });
}

/** Counts how far things move on the page that is about to be opened. */
const watchShift = page => page.addInitScript(() => {
  globalThis.shift = 0;
  new PerformanceObserver(list => {
    for (const entry of list.getEntries()) globalThis.shift += entry.value;
  }).observe({ type: 'layout-shift', buffered: true });
});

test('nothing moves while values are renewed', async () => {
  for (const viewport of [phone, { width: 1440, height: 900 }]) {
    await withPage(browser, { viewport }, async page => {
      await watchShift(page);
      await page.goto(`${base}/`);
      await newer(page, await shown(page));
      await newer(page, await shown(page));
      assert.equal(await page.evaluate(() => globalThis.shift), 0, `at ${viewport.width} px`);
    });
  }
});
