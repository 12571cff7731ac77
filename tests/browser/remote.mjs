// A Chromium whose pages a test keeps open while it does things to bakau: one command per line as JSON on standard
// input, one answer per line as JSON on standard output. tests/harness/remote.rs is the other end.
import { createInterface } from 'node:readline';
import { launch, PATIENCE_MS, desktop } from './lib.mjs';

const browser = await launch();
const context = await browser.newContext({ viewport: desktop, reducedMotion: 'reduce', locale: 'id-ID' });
const pages = new Map();

/** Lets the page believe that the machine has slept: its clock, and with it all it measures, jumps ahead. */
const sleepy = () => {
  const real = performance.now.bind(performance);
  let slept = 0;
  performance.now = () => real() + slept;
  globalThis.sleep = ms => { slept += ms; };
};

/** A page as text, one element a line, without what is a clock, an age, for other programs, or said by the script itself. */
const dom = () => {
  const copy = document.documentElement.cloneNode(true);
  for (const gone of copy.querySelectorAll('[data-own],noscript,script,meta')) gone.remove();
  for (const clock of copy.querySelectorAll('[data-clock]')) clock.textContent = '';
  for (const time of copy.querySelectorAll('[data-at]')) if (+time.dataset.at) time.textContent = '';
  for (const key of ['now', 'after', 'due']) delete copy.querySelector('body').dataset[key];
  for (const details of copy.querySelectorAll('details')) details.open = true;
  const sorted = element => [...element.attributes].map(({ name, value }) => `${name}=${value}`).sort().join(' ');
  const lines = [];
  const walk = (node, depth) => {
    if (node.nodeType === Node.TEXT_NODE) {
      const text = node.data.replace(/\s+/g, ' ').trim();
      if (text) lines.push(' '.repeat(depth) + text);
    } else if (node.nodeType === Node.ELEMENT_NODE) {
      lines.push(`${' '.repeat(depth)}<${node.localName} ${sorted(node)}>`);
      for (const child of node.childNodes) walk(child, depth + 1);
    }
  };
  walk(copy, 0);
  return lines.join('\n');
};

const commands = {
  async open({ name, url }) {
    const page = await context.newPage();
    await page.addInitScript(sleepy);
    await page.goto(url);
    pages.set(name, page);
    // Live, not only drawn.
    await page.waitForFunction(() => document.body.dataset.live);
  },
  async stations({ name }) {
    return { stations: await pages.get(name).evaluate(() => [...document.querySelectorAll('.stations>li')]
      .sort((a, b) => a.dataset.station < b.dataset.station ? -1 : 1)
      .map(each => [each.dataset.level, each.querySelector('.freshness').dataset.fresh])) };
  },
  async count({ name, selector }) { return { count: await pages.get(name).locator(selector).count() }; },
  async close({ name }) {
    await pages.get(name).close();
    pages.delete(name);
  },
  async dom({ name }) {
    const page = pages.get(name);
    return { dom: await page.locator('#disconnected').isHidden() ? await page.evaluate(dom) : '' };
  },
  async fresh_dom({ url }) {
    const page = await context.newPage();
    try {
      await page.goto(url);
      return { dom: await page.evaluate(dom) };
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
