// Each page's main task, in both languages, with the keyboard only.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { api, base, languages, launch, phone, tabTo, token, withPage } from './lib.mjs';

let browser;
before(async () => { browser = await launch(); });
after(() => browser.close());

const heading = page => page.locator('h1').first().innerText();

for (const language of languages) {
  test(`overview, ${language}: the skip link comes first and the worst station is opened`, async () => {
    await withPage(browser, {}, async page => {
      await page.goto(`${base}/?lang=${language}`);
      await page.keyboard.press('Tab');
      assert.equal(await page.evaluate(() => document.activeElement.getAttribute('href')), '#content');
      await page.keyboard.press('Enter');
      const first = await page.locator('main a[href*="/stations/"]').first().getAttribute('href');
      await tabTo(page, 'a station', element => /\/stations\//.test(element.getAttribute('href') || ''));
      await Promise.all([page.waitForURL(/\/stations\//), page.keyboard.press('Enter')]);
      assert.ok(first.includes('/stations/'));
      assert.ok((await heading(page)).length > 3);
      assert.equal(await page.getAttribute('html', 'lang'), language);
    });
  });

  test(`station, ${language}: another range is chosen and what the chart shows is downloaded`, async () => {
    const { stations } = await api('/api/v1/stations');
    await withPage(browser, {}, async page => {
      await page.goto(`${base}/stations/${stations[0].id}?lang=${language}`);
      await tabTo(page, 'the week', element => /range=week/.test(element.getAttribute('href') || ''));
      await Promise.all([page.waitForURL(/range=week/), page.keyboard.press('Enter')]);
      await tabTo(page, 'the download', element => /format=csv/.test(element.getAttribute('href') || ''));
      const address = await page.evaluate(() => document.activeElement.href);
      const csv = await (await fetch(address)).text();
      assert.match(csv.split('\n')[0] + csv, /observed_at|start/);
      assert.ok(csv.trim().split('\n').length > 2, csv.slice(0, 300));
    });
  });

  test(`status, ${language}: sources and readiness are told in words`, async () => {
    await withPage(browser, { javaScript: false }, async page => {
      await page.goto(`${base}/status?lang=${language}`);
      assert.ok((await page.locator('main').innerText()).length > 200);
      assert.ok(await page.locator('main .source').count() > 0);
      assert.ok(await page.locator('main .ready li').count() >= 5);
    });
  });

  test(`alerts, ${language}: complete without a script, and a filter narrows the list`, async () => {
    await withPage(browser, { javaScript: false, viewport: phone }, async page => {
      await page.goto(`${base}/alerts?lang=${language}&all=true`);
      assert.ok(await page.locator('main a[href*="/alerts/"]').count() > 0);
    });
  });
}

test('language: the switch keeps the page and is remembered', async () => {
  await withPage(browser, {}, async page => {
    await page.goto(`${base}/alerts`);
    assert.equal(await page.getAttribute('html', 'lang'), 'id', 'Bahasa Indonesia until somebody switches');
    await tabTo(page, 'English', element => element.getAttribute('hreflang') === 'en');
    await Promise.all([page.waitForURL(/lang=en/), page.keyboard.press('Enter')]);
    assert.ok(page.url().includes('/alerts'));
    await page.goto(`${base}/`);
    assert.equal(await page.getAttribute('html', 'lang'), 'en');
  });
});

test('alert: a person acknowledges it with name and note, from a phone, with the keyboard', async () => {
  const { alerts } = await api('/api/v1/alerts?active=true');
  const open = alerts.filter(alert => !alert.acknowledged);
  assert.ok(open.length > 0, 'the demo has an alert that nobody has taken');
  await withPage(browser, { viewport: phone }, async page => {
    await page.goto(`${base}/alerts/${open[0].id}`);
    await tabTo(page, 'the name', element => element.name === 'name');
    await page.keyboard.type('Siti Rahma');
    await tabTo(page, 'the token', element => element.name === 'token', 3);
    await page.keyboard.type(token);
    await tabTo(page, 'the note', element => element.name === 'note', 3);
    await page.keyboard.type('Petugas menuju lokasi.');
    await tabTo(page, 'the button', element => element.tagName === 'BUTTON', 3);
    await Promise.all([page.waitForEvent('load'), page.keyboard.press('Enter')]);
    assert.equal(await page.locator('input[name=token]').count(), 0, 'it cannot be taken twice');
  });
  const after = await api(`/api/v1/alerts/${open[0].id}`);
  assert.deepEqual([after.acknowledged_by, after.note], ['Siti Rahma', 'Petugas menuju lokasi.']);
});

test('alerts: several are acknowledged with the token once, with the keyboard and without JavaScript', async () => {
  for (const language of languages) {
    await withPage(browser, { viewport: phone, javaScript: false }, async page => {
      await page.goto(`${base}/alerts?lang=${language}`);
      const boxes = page.locator('#alerts input[type=checkbox]');
      const offered = await boxes.count();
      assert.ok(offered > 0, 'the demo has an alert that nobody has taken');
      /* One is left for the other language. */
      const chosen = Math.max(1, Math.floor(offered / 2)), ids = [];
      for (let index = 0; index < chosen; index++) {
        ids.push((await boxes.nth(index).getAttribute('value')).split('.')[0]);
        await boxes.nth(index).focus();
        await page.keyboard.press('Space');
      }
      await page.locator('#take [name=name]').fill('Siti Rahma');
      await page.locator('#take [name=token]').fill(token);
      await page.locator('#take button').focus();
      await Promise.all([page.waitForURL(/acknowledge/), page.keyboard.press('Enter')]);
      const answers = await page.locator('.answers li').allInnerTexts();
      assert.equal(answers.length, chosen, 'each answer is told');
      for (const [index, id] of ids.entries()) {
        if (answers[index].includes('✓')) assert.equal((await api(`/api/v1/alerts/${id}`)).acknowledged_by, 'Siti Rahma');
      }
      assert.ok(answers.some(answer => answer.includes('✓')), answers.join());
    });
  }
});
