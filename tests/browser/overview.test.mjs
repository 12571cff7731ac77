// The overview of many stations by keyboard, in both languages and on three screens; an open page is what a fresh one at
// its address would be, whatever somebody searched, sorted or looked at.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import {
  api, assertFits, base, desktop, languages, launch, phone, tabTo, violations, wide, withPage,
} from './lib.mjs';

let browser, stations;
before(async () => {
  browser = await launch();
  ({ stations } = await api('/api/v1/stations'));
});
after(() => browser.close());

const screens = [['phone', phone], ['desk', { width: 1280, height: 800 }], ['wall', wide]];
const names = page => page.locator('#list :is(tbody .nm, h3) a').allInnerTexts();
const title = page => page.locator('#stations').innerText();
/** Until the page has been drawn anew. */
const renewal = async (page, act) => {
  const renewed = page.evaluate(() => new Promise(done => document.addEventListener('renewed', done, { once: true })));
  await act();
  await renewed;
};
const asFresh = async page => {
  const shape = () => [...document.querySelectorAll('main :is(a, input, th, h2)')]
    .map(each => [each.localName, each.id, each.getAttribute('href'), each.getAttribute('value'),
      each.getAttribute('aria-sort'), each.getAttribute('aria-current')].join(' '));
  const shown = await page.evaluate(shape);
  const view = await page.getAttribute('#mapview', 'viewBox');
  await page.reload();
  assert.deepEqual(shown, await page.evaluate(shape));
  assert.equal(view, await page.getAttribute('#mapview', 'viewBox'));
};

for (const language of languages) {
  for (const [screen, viewport] of screens) {
    test(`search, ${language}, ${screen}: what is typed narrows the list, survives renewal and stands in the address`, async () => {
      await withPage(browser, { viewport }, async page => {
        await page.goto(`${base}/?lang=${language}`);
        const before = await title(page);
        assert.match(before, new RegExp(`${stations.length} \\S+ ${stations.length}`));
        await tabTo(page, 'the search', element => element.id === 'q', 20);
        await page.keyboard.type('probolinggo mangrove');
        await page.waitForFunction(() => document.getElementById('q').getAttribute('value') === 'probolinggo mangrove');
        const found = (await names(page)).length;
        assert.ok(found > 0 && found < stations.length, `${found}`);
        assert.match(await title(page), new RegExp(`${found} \\S+ ${stations.length}`));
        await renewal(page, () => page.evaluate(() => document.dispatchEvent(new Event('renew'))));
        assert.equal(await page.inputValue('#q'), 'probolinggo mangrove');
        assert.equal(await page.evaluate(() => document.activeElement.id), 'q', 'the focus stays');
        assert.equal((await names(page)).length, found);
        await asFresh(page);
        assert.equal(await page.inputValue('#q'), 'probolinggo mangrove');
      });
    });

    test(`totals, ${language}, ${screen}: one is chosen, then all again`, async () => {
      await withPage(browser, { viewport }, async page => {
        await page.goto(`${base}/?lang=${language}&view=table`);
        await tabTo(page, 'the total of normal', element => element.id === 'total-normal', 20);
        await Promise.all([page.waitForURL(/level=normal/), page.keyboard.press('Enter')]);
        const levels = await page.locator('#lines tr[data-level]').evaluateAll(rows => rows.map(row => row.dataset.level));
        assert.ok(levels.length > 0 && levels.every(level => level === 'normal'), levels.join());
        assert.equal(await page.locator('#total-normal .n').innerText(), String(levels.length));
        await tabTo(page, 'the total again', element => element.id === 'total-normal', 20);
        await Promise.all([page.waitForURL(url => !url.search.includes('level')), page.keyboard.press('Enter')]);
        assert.match(page.url(), /view=table/);
      });
    });

    test(`table, ${language}, ${screen}: sorted by a heading, one line a station on a phone, the heading stays`, async () => {
      await withPage(browser, { viewport }, async page => {
        await page.goto(`${base}/?lang=${language}&view=table`);
        await tabTo(page, 'the heading', element => /sort=name/.test(element.getAttribute('href') || ''));
        await Promise.all([page.waitForURL(/sort=name/), page.keyboard.press('Enter')]);
        const order = await names(page);
        assert.deepEqual(order, [...order].sort((a, b) => (a < b ? -1 : 1)));
        assert.equal(await page.locator('[aria-sort=ascending]').count(), 1);
        await assertFits(page, 'the table');
        assert.deepEqual(await violations(page), []);
        if (screen === 'phone') {
          const heights = await page.locator('#lines tbody tr').evaluateAll(rows => rows.map(row => row.offsetHeight));
          assert.ok(Math.max(...heights) <= 40, heights.join());
        }
        await page.locator('#lines tbody tr').last().scrollIntoViewIfNeeded();
        await page.evaluate(() => scrollTo(0, document.getElementById('lines').getBoundingClientRect().bottom + scrollY - 120));
        const top = await page.locator('#lines thead th').nth(1).evaluate(element => element.getBoundingClientRect().top);
        assert.ok(Math.abs(top) <= 2, `the heading is at ${top}`);
      });
    });

    test(`map, ${language}, ${screen}: closer and aside by keys, back again, as a fresh page would be`, async () => {
      await withPage(browser, { viewport }, async page => {
        await page.goto(`${base}/?lang=${language}`);
        const pins = () => page.locator('#mapview .pin').count();
        const all = await pins();
        await tabTo(page, 'closer', element => element.id === 'map-in', 60);
        for (const key of ['Enter', '+', '+']) await renewal(page, () => page.keyboard.press(key));
        assert.ok(await pins() < all, 'some are outside');
        assert.equal(await page.evaluate(() => document.activeElement.id), 'map-in', 'the focus stays');
        const place = await page.getAttribute('#mapview', 'data-bbox');
        await renewal(page, () => page.keyboard.press('ArrowLeft'));
        assert.ok(Number((await page.getAttribute('#mapview', 'data-bbox')).split(',')[0]) < Number(place.split(',')[0]));
        await asFresh(page);
        await page.locator('#map-in').focus();
        await renewal(page, () => page.keyboard.press('0'));
        assert.equal(await pins(), all);
        assert.ok(!page.url().includes('bbox'), page.url());
      });
    });
  }

  test(`wall, ${language}: every station without scrolling, awake, and a way out by keyboard`, async () => {
    for (const dark of [false, true]) {
      await withPage(browser, { viewport: wide, dark }, async page => {
        await page.addInitScript(() => {
          globalThis.locks = [];
          Object.defineProperty(navigator, 'wakeLock', {
            value: { request: async kind => { globalThis.locks.push(kind); return { released: false }; } },
          });
        });
        await page.goto(`${base}/?view=wall&lang=${language}`);
        assert.equal(await page.locator('#tiles>li').count(), stations.length);
        const { high, inside } = await page.evaluate(() => ({
          high: document.documentElement.scrollHeight,
          inside: [...document.querySelectorAll('#tiles>li .value')].every(each => each.getBoundingClientRect().bottom <= innerHeight),
        }));
        assert.ok(high <= wide.height && inside, `${high} px`);
        const order = await page.locator('#tiles>li').evaluateAll(tiles => tiles.map(tile => tile.dataset.level));
        const worst = ['awas', 'siaga', 'waspada', 'none', 'normal'];
        assert.deepEqual(order, [...order].sort((a, b) => worst.indexOf(a) - worst.indexOf(b)));
        assert.match(await page.locator('#clock').innerText(), language === 'id' ? /^\d\d\.\d\d$/ : /^\d\d:\d\d$/);
        assert.deepEqual(await page.evaluate(() => globalThis.locks), ['screen']);
        assert.deepEqual(await violations(page), []);
        await tabTo(page, 'the way out', element => element.id === 'leave', 40);
        await Promise.all([page.waitForURL(/view=table/), page.keyboard.press('Enter')]);
      });
    }
  });
}

test('without a script search, order, totals and the parts of the map are links and a form', async () => {
  await withPage(browser, { javaScript: false, viewport: desktop }, async page => {
    await page.goto(`${base}/?view=table`);
    await page.locator('#q').fill('bakau');
    await Promise.all([page.waitForURL(/q=bakau/), page.locator('#q').press('Enter')]);
    assert.match(page.url(), /view=table/);
    const found = (await names(page)).length;
    assert.ok(found > 0 && found < stations.length);
    await Promise.all([page.waitForURL(/bbox=/), page.locator('#map-in').click()]);
    assert.equal((await names(page)).length, found, 'the map leaves out none of the list');
    await Promise.all([page.waitForURL(/sort=/), page.locator('thead a').nth(1).click()]);
    assert.match(page.url(), /q=bakau/);
  });
});
