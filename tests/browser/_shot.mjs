import { launch } from './lib.mjs';
const base = process.env.BAKAU_URL, out = process.argv[2];
const browser = await launch();
for (const spec of process.argv.slice(3)) {
  const [name, path, w, h, dark, full] = spec.split('|');
  const c = await browser.newContext({ viewport: { width: +w, height: +h }, colorScheme: dark === 'd' ? 'dark' : 'light', deviceScaleFactor: 1 });
  const p = await c.newPage();
  await p.goto(base + path, { waitUntil: 'load' });
  await p.evaluate(async () => { for (const i of document.images) { i.loading = 'eager'; if (!i.complete) await new Promise(d => { i.onload = i.onerror = d; }); } });
  await p.screenshot({ path: `${out}/${name}.png`, fullPage: full === 'f' });
  await c.close();
}
await browser.close();
