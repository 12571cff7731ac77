// Debian's Chromium, driven by playwright-core, against the bakau named by BAKAU_URL.
import { createServer, connect } from 'node:net';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import assert from 'node:assert/strict';
import { chromium } from 'playwright-core';

const need = name => process.env[name] ?? assert.fail(`${name} is not set: cargo xtask test sets it`);
export const base = need('BAKAU_URL').replace(/\/$/, '');
export const token = need('BAKAU_TOKEN');
export const languages = ['id', 'en'];
export const phone = { width: 360, height: 780 };
export const desktop = { width: 1440, height: 900 };
export const wide = { width: 1920, height: 1080 };
/** How long a page may take to show something live before the test gives up. */
export const PATIENCE_MS = 20_000;

const axeSource = readFileSync(fileURLToPath(import.meta.resolve('axe-core/axe.min.js')), 'utf8');

/** Chromium without the background services that look for the internet. */
export const launch = () => chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: [
    '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync',
  ],
});

/** Runs `work` with a fresh page; fails when the page logs an error or asks for anything from elsewhere. */
export async function withPage(browser, options, work) {
  const { viewport = desktop, dark = false, javaScript = true, origin = base } = options;
  const context = await browser.newContext({
    viewport, colorScheme: dark ? 'dark' : 'light', javaScriptEnabled: javaScript, reducedMotion: 'reduce',
    acceptDownloads: true, locale: 'id-ID',
  });
  const page = await context.newPage();
  const faults = [];
  page.on('pageerror', error => faults.push(`script error: ${error.message}`));
  page.on('request', request => {
    const url = request.url();
    if (!url.startsWith(origin) && !url.startsWith('data:')) faults.push(`asked for ${url}`);
  });
  try {
    const result = await work(page, context);
    assert.deepEqual(faults, []);
    return result;
  } finally {
    await context.close();
  }
}

/** axe-core over the whole page; violations with the elements they are at. */
export async function violations(page) {
  await page.evaluate(axeSource);
  const result = await page.evaluate(() => globalThis.axe.run(document, {
    runOnly: { type: 'tag', values: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] },
  }));
  return result.violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(node => node.target.join(' ')).slice(0, 3).join(' | ')}`);
}

/** Presses Tab until the focused element fits, as somebody without a mouse does. */
export async function tabTo(page, what, fits, most = 120) {
  for (let presses = 0; presses < most; presses += 1) {
    await page.keyboard.press('Tab');
    const found = await page.evaluate(
      source => document.activeElement !== document.body && (0, eval)(`(${source})`)(document.activeElement), fits.toString());
    if (found) {
      await assertFocusVisible(page, what);
      return presses + 1;
    }
  }
  return assert.fail(`${what} is not reached in ${most} presses of Tab`);
}

async function assertFocusVisible(page, what) {
  const visible = await page.evaluate(() => {
    const element = document.activeElement, box = element.getBoundingClientRect(), style = getComputedStyle(element);
    // A symbol of the map is ringed instead.
    const ring = element instanceof SVGElement && element.querySelector('circle');
    const ringed = ring && parseFloat(getComputedStyle(ring).strokeWidth) >= 3;
    const marked = ringed || (style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0) || style.boxShadow !== 'none';
    return marked && box.width > 0 && box.height > 0;
  });
  assert.ok(visible, `the focus on ${what} cannot be seen`);
}

/** No part of the page is wider than the screen, and no table has to be moved sideways to be read. */
export async function assertFits(page, path) {
  const cut = await page.evaluate(() => [...document.querySelectorAll('main table')]
    .filter(table => table.scrollWidth > table.parentElement.clientWidth + 1).map(table => table.tHead.innerText.trim()));
  assert.deepEqual(cut, [], `tables of ${path} that do not fit`);
  const { inner, scroll } = await page.evaluate(() => ({ inner: innerWidth, scroll: document.documentElement.scrollWidth }));
  assert.ok(scroll <= inner, `${path} is ${scroll} px wide on a screen of ${inner} px`);
}

/** Every picture that has been asked for is there. */
export async function assertPictures(page, path) {
  await page.evaluate(async () => {
    for (const image of document.images) {
      image.loading = 'eager';
      if (!image.complete) await new Promise(done => { image.onload = image.onerror = done; });
    }
  });
  const broken = await page.evaluate(() => [...document.images].filter(image => !image.naturalWidth).map(image => image.currentSrc));
  assert.deepEqual(broken, [], `pictures missing on ${path}`);
}

/** JSON of the API. */
export async function api(path) {
  const response = await fetch(`${base}${path}`, { headers: { authorization: `Bearer ${token}` } });
  assert.equal(response.status, 200, `${path}: ${response.status}`);
  return response.json();
}

/** A way to bakau that can be cut and mended, like a bad line. */
export async function cuttableLine() {
  const target = new URL(base);
  const sockets = new Set();
  let open = true;
  const server = createServer(near => {
    if (!open) return near.destroy();
    const far = connect(Number(target.port), target.hostname);
    for (const [socket, other] of [[near, far], [far, near]]) {
      sockets.add(socket);
      socket.on('error', () => other.destroy());
      socket.on('close', () => { sockets.delete(socket); other.destroy(); });
    }
    near.pipe(far);
    far.pipe(near);
  });
  await new Promise(done => server.listen(0, '127.0.0.1', done));
  return {
    origin: `http://127.0.0.1:${server.address().port}`,
    cut() { open = false; sockets.forEach(socket => socket.destroy()); },
    mend() { open = true; },
    close() { this.cut(); server.close(); },
  };
}
