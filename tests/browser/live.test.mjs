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

/** Takes the place of the stream: the page hears what the test says. */
const tellInstead = page => page.addInitScript(() => {
  const listeners = new Map();
  globalThis.tell = (name, told) => listeners.get(name)({ data: JSON.stringify(told) });
  globalThis.EventSource = class {
    readyState = 1;
    addEventListener(name, act) { listeners.set(name, act); }
    close() {}
  };
});

/** What may happen to the first three stations of the list: values of other lengths, an alarm, a lost device, no data. */
const happen = () => {
  const [first, second, third] = document.querySelectorAll('.stations>li');
  for (const cell of first.querySelectorAll('[data-datastream]')) {
    const text = { id: '45.643,25', en: '45,643.25' };
    const soon = new Date(Date.now() + 60_000).toISOString();
    globalThis.tell('values', [{
      datastream: cell.dataset.datastream, station: first.dataset.station, value: 1, text, flag: 3, online: true,
      observed_at: new Date().toISOString(), current_until: soon,
    }]);
  }
  const { datastream } = second.querySelector('[data-datastream]').dataset;
  globalThis.tell('alert', {
    id: 'a', station: second.dataset.station, datastream, level: 'waspada', datastream_level: 'waspada', station_level: 'waspada', active_alerts: 12,
  });
  globalThis.tell('station', { station: second.dataset.station, online: false, at: new Date().toISOString() });
  return second.dataset.station;
};
/** The third station was current until a moment ago: nothing has come since. Before the page's own script reads it. */
const stopSending = page => page.addInitScript(() => document.addEventListener('readystatechange', () => {
  if (document.readyState !== 'interactive') return;
  const third = document.querySelectorAll('.stations>li')[2];
  third.dataset.until = String(Date.now() - 1);
  globalThis.withoutData = third.dataset.station;
}));

for (const language of languages) {
  test(`nothing moves when stations alarm, are lost and stop sending, ${language}`, async () => {
    for (const viewport of [phone, { width: 1280, height: 900 }, { width: 1920, height: 1080 }]) {
      await withPage(browser, { viewport }, async page => {
        await tellInstead(page);
        await watchShift(page);
        await stopSending(page);
        await page.goto(`${base}/?lang=${language}`);
        const lost = await page.evaluate(happen);
        const withoutData = await page.evaluate(() => globalThis.withoutData);
        await page.locator(`li[data-station="${lost}"][data-level=waspada] [data-fresh=offline]`).waitFor({ timeout: PATIENCE_MS });
        await page.locator(`li[data-station="${withoutData}"] [data-fresh=stale]`).waitFor({ state: 'attached', timeout: PATIENCE_MS });
        // What moved is known once the next picture has been drawn.
        await page.evaluate(() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done))));
        assert.equal(await page.evaluate(() => globalThis.shift), 0, `at ${viewport.width} px`);
      });
    }
  });
}
