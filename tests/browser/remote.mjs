// A Chromium whose pages a test keeps open while it does things to bakau: one command per line as JSON on standard
// input, one answer per line as JSON on standard output. tests/harness/remote.rs is the other end.
import { createInterface } from 'node:readline';
import { launch, PATIENCE_MS, desktop } from './lib.mjs';

const browser = await launch();
const context = await browser.newContext({ viewport: desktop, reducedMotion: 'reduce' });
const pages = new Map();

/** Lets the page believe that the machine has slept: its clock, and with it all it measures, jumps ahead. */
const sleepy = () => {
  const real = performance.now.bind(performance);
  let slept = 0;
  performance.now = () => real() + slept;
  globalThis.sleep = ms => { slept += ms; };
};

/** All that a page says of levels, and of stations that are away, without data or alive. */
const levels = () => {
  const say = element => element?.textContent.trim().replace(/\s+/g, ' ');
  const of = selector => [...document.querySelectorAll(selector)];
  const sorted = list => list.map(each => JSON.stringify(each)).sort();
  return {
    stations: sorted(of('[data-station]').map(each => ({
      id: each.dataset.station, kind: each.tagName.toLowerCase(), level: each.dataset.level,
      badge: say(each.querySelector('.head>.badge .word, .who>.badge .word')), sign: each.querySelector('use')?.getAttribute('href'),
      fresh: each.querySelector('.freshness')?.dataset.fresh ?? each.dataset.fresh,
      says: say(each.querySelector('.freshness .says')), hand: say(each.querySelector('.hand:not([hidden])')), label: each.getAttribute('aria-label'),
    }))),
    clusters: sorted(of('[data-stations]').map(each => [each.dataset.level, each.getAttribute('aria-label')])),
    cells: sorted(of('[data-datastream]').map(each => [
      each.dataset.datastream, each.dataset.level, each.dataset.flag, each.classList.contains('stale'), say(each.querySelector('.value')),
    ])),
    alerts: of('.alerts>li').map(each => [each.dataset.level, each.className, say(each)]),
    totals: of('.totals>li').map(say),
    reporting: of('.ready>li').map(each => [each.className, say(each)]),
    count: say(document.getElementById('active-alerts')),
    alert: of('[data-part=alert]').map(each => [each.dataset.level, say(each)]),
  };
};

const commands = {
  async open({ name, url }) {
    const page = await context.newPage();
    await page.addInitScript(sleepy);
    await page.goto(url);
    pages.set(name, page);
    // Live, not only drawn.
    await page.waitForFunction(() => document.body.dataset.events);
  },
  async levels({ name }) {
    const page = pages.get(name);
    return { levels: await page.evaluate(levels), connected: await page.locator('#disconnected').isHidden() };
  },
  async fresh({ url }) {
    const page = await context.newPage();
    try {
      await page.goto(url);
      return { levels: await page.evaluate(levels) };
    } finally {
      await page.close();
    }
  },
  async sleep({ name, ms }) { await pages.get(name).evaluate(ms => globalThis.sleep(ms), ms); },
  async focus({ name, selector }) { await pages.get(name).focus(selector); },
  async focused({ name, selector }) { return { focused: await pages.get(name).evaluate(
    wanted => document.activeElement.matches(wanted), selector) }; },
  async type({ name, field, text }) { await pages.get(name).fill(`[name=${field}]`, text); },
  async typed({ name, field }) { return { text: await pages.get(name).inputValue(`[name=${field}]`) }; },
  async disconnected({ name }) {
    await pages.get(name).locator('#disconnected').waitFor({ state: 'visible', timeout: PATIENCE_MS });
  },
};

const answer = value => process.stdout.write(`${JSON.stringify(value)}\n`);
answer({ ready: true });
for await (const line of createInterface({ input: process.stdin })) {
  const { command, ...rest } = JSON.parse(line);
  try {
    answer(await commands[command](rest) ?? {});
  } catch (error) {
    answer({ error: String(error) });
  }
}
await browser.close();
