// axe-core finds nothing on any page, in either language, light and dark, on a phone and on a wide screen.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { api, assertFits, assertPictures, base, languages, launch, phone, violations, wide, withPage } from './lib.mjs';

let browser, paths;
before(async () => {
  browser = await launch();
  const { stations } = await api('/api/v1/stations');
  const { alerts } = await api('/api/v1/alerts?limit=1');
  assert.ok(stations.length > 0 && alerts.length > 0, 'the demo has stations and alerts');
  paths = ['/', `/stations/${stations[0].id}`, '/alerts', `/alerts/${alerts[0].id}`, '/rules', '/status', '/api'];
});
after(() => browser.close());

for (const language of languages) {
  for (const [screen, viewport] of [['phone', phone], ['wide screen', wide]]) {
    for (const dark of [false, true]) {
      test(`no violations in ${language} on a ${screen}, ${dark ? 'dark' : 'light'}`, async () => {
        for (const path of paths) {
          await withPage(browser, { viewport, dark }, async page => {
            await page.goto(`${base}${path}?lang=${language}`);
            assert.equal(await page.getAttribute('html', 'lang'), language, path);
            await assertPictures(page, path);
            assert.deepEqual(await violations(page), [], path);
            await assertFits(page, path);
          });
        }
      });
    }
  }
}

test('a missing page is told by a page without violations', async () => {
  await withPage(browser, { viewport: phone }, async page => {
    const response = await page.goto(`${base}/stations/tidak-ada`);
    assert.equal(response.status(), 404);
    assert.deepEqual(await violations(page), []);
  });
});
