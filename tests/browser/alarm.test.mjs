// Sound and notification for alerts at siaga and above, on wish and once each.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { base, launch, withPage, PATIENCE_MS } from './lib.mjs';

let browser;
before(async () => { browser = await launch(); });
after(async () => { await browser.close(); });

/** Counts what the page would show and play. */
const listen = () => {
  globalThis.told = [];
  globalThis.tones = 0;
  globalThis.Notification = class {
    static permission = 'granted';
    constructor(title) { globalThis.told.push(title); }
    close() {}
  };
  const make = AudioContext.prototype.createOscillator;
  AudioContext.prototype.createOscillator = function () {
    globalThis.tones += 1;
    return make.call(this);
  };
};

/** From now on each renewal of the page says that these alerts wait for somebody. */
const waiting = (page, alarms) => page.route(() => true, async route => {
  if (!route.request().headers()['bakau-held']) return route.fallback();
  const response = await route.fetch();
  const body = (await response.text()).replace(/data-alarms="[^"]*"/, `data-alarms="${alarms}"`);
  return route.fulfill({ response, body });
});
const shown = (page, alarms) => page.waitForFunction(
  wanted => document.body.dataset.alarms === wanted, alarms, { timeout: PATIENCE_MS },
);
const heard = page => page.evaluate(() => [globalThis.told.length, globalThis.tones]);

for (const wished of [true, false]) {
  test(`a new alert ${wished ? 'sounds and notifies once' : 'is silent where nobody wished it'}`, () => withPage(browser, {}, async page => {
    await page.addInitScript(listen);
    await page.goto(`${base}/`);
    const box = page.getByRole('checkbox', { name: 'Bunyi dan notifikasi' });
    if (wished) await box.focus().then(() => page.keyboard.press('Space'));
    assert.equal(await box.isChecked(), wished);
    // The tone of the switch itself tells what it will sound like.
    assert.deepEqual(await heard(page), [0, wished ? 3 : 0]);
    await waiting(page, 'a.siaga');
    await shown(page, 'a.siaga');
    assert.deepEqual(await heard(page), wished ? [1, 6] : [0, 0]);
    await page.evaluate(() => document.dispatchEvent(new Event('renewed')));
    assert.deepEqual(await heard(page), wished ? [1, 6] : [0, 0], 'the same alert again');
    await page.unrouteAll({ behavior: 'wait' });
    await waiting(page, 'a.awas');
    await shown(page, 'a.awas');
    assert.deepEqual(await heard(page), wished ? [2, 9] : [0, 0]);
    await page.unrouteAll({ behavior: 'wait' });
  }));
}
