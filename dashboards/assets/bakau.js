/* Events: src/live.rs. All words come from the page. */
(() => {
  const data = document.body.dataset, lang = document.documentElement.lang;
  if (!data.events) return;
  const all = (selector, root) => [...(root || document).querySelectorAll(selector)];
  const byId = id => document.getElementById(id);
  const words = JSON.parse(data.words), banner = byId('disconnected'), news = byId('news');
  let base = +data.now - performance.now(), heard = performance.now(), last = +data.now, changed = false;
  const group = (selector, key) => all(selector).reduce((map, element) => {
    const name = element.dataset[key];
    return map.set(name, (map.get(name) || []).concat(element));
  }, new Map());
  const cells = group('[data-datastream]', 'datastream'), stations = group('[data-station]', 'station');

  const now = () => base + performance.now();
  const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, key) => values[key]);
  const put = (element, text) => { if (element && element.textContent !== text) element.textContent = text; };
  const age = ms => {
    if (ms < -60000) return words.future;
    const s = Math.floor(ms / 1000);
    if (s < 1) return words.now;
    const [unit, n] = s < 60 ? ['second', s] : s < 3600 ? ['minute', s / 60 | 0]
      : s < 172800 ? ['hour', s / 3600 | 0] : ['day', s / 86400 | 0];
    return fill(words[unit + (n === 1 ? '_one' : '_many')], { n });
  };
  const clock = ms => new Date(ms + 60000 * data.offset).toISOString().slice(11, 16)
    .replace(':', lang === 'id' ? '.' : ':') + ' ' + data.zone;
  const level = (element, key) => {
    if (!element || element.dataset.level === key) return;
    element.dataset.level = key;
    changed = true;
    /* Its own badge only: a station's page also lists alerts that are long over. */
    for (const word of all('.head>.badge .word, .who>.badge .word', element)) put(word, words[key]);
    for (const use of all('.head>.badge use, .who>.badge use, :scope>use', element)) use.setAttribute('href', '#lv-' + key);
  };
  const tell = (time, at) => {
    if (!time || +time.dataset.at >= at) return;
    time.dataset.at = at;
    if (time.dateTime) time.dateTime = new Date(at).toISOString();
    put(time, age(now() - at));
  };
  const fresh = (id, state, at) => {
    for (const element of stations.get(id) || []) {
      const line = element.querySelector('.freshness');
      if (!line) {
        if (element.dataset.fresh !== state) element.dataset.fresh = state;
        continue;
      }
      if (line.dataset.fresh !== state) {
        line.dataset.fresh = state;
        put(line.querySelector('.says'), words[(line.dataset.form || '') + state]);
        changed = true;
      }
      if (at) tell(line.querySelector('[data-at]'), at);
    }
  };

  const worst = station => ['awas', 'siaga', 'waspada']
    .find(key => station.querySelector(`[data-datastream][data-level=${key}]`)) || 'normal';
  const value = update => {
    const at = Date.parse(update.observed_at);
    last = Math.max(last, at);
    for (const cell of cells.get(update.datastream) || []) {
      const time = cell.querySelector('[data-at]');
      if (time && +time.dataset.at > at) continue;
      put(cell.querySelector('.value'), update.text ? update.text[lang] : '–');
      put(cell.querySelector('.flag'), words[update.flag]);
      cell.dataset.flag = update.flag;
      cell.classList.remove('stale');
      tell(time, at);
      const station = cell.closest('[data-station]');
      /* A value that is old already, such as one sent after a pause, does not make its station current. */
      if (!station || now() - at > +station.dataset.limit) continue;
      const id = station.dataset.station;
      fresh(id, 'live', at);
      if (station.dataset.level === 'none') for (const each of stations.get(id)) level(each, worst(station));
    }
  };
  const count = active => {
    if (active == null) return;
    const number = byId('active-alerts');
    put(number, String(active));
    number.hidden = !active;
  };
  const alert = update => {
    for (const cell of cells.get(update.datastream) || []) cell.dataset.level = update.datastream_level;
    for (const station of stations.get(update.station) || []) {
      if (station.dataset.level === 'none' && update.station_level === 'normal') continue;
      const name = station.querySelector('h1,h3'), before = station.dataset.level;
      level(station, update.station_level);
      if (name && before !== update.station_level && update.id) {
        put(news, fill(words.news, { station: name.textContent, level: words[update.station_level] }));
      }
    }
    count(update.active_alerts);
  };
  /* The device said that it is leaving, or is back. */
  const station = update => { fresh(update.station, update.online ? 'live' : 'offline'); };

  /* What the page adds up, counted again from what it shows. */
  const recount = () => {
    changed = false;
    for (const number of all('[data-count]')) {
      const count = all(`.stations>[data-level=${number.dataset.count}]`).length;
      put(number, String(count));
      number.parentElement.classList.toggle('zero', !count);
    }
    let reporting = 0;
    for (const row of all('.ready>[data-agency]')) {
      const mine = all(`.stations>[data-of="${CSS.escape(row.dataset.agency)}"]`);
      const n = mine.filter(each => each.querySelector('[data-fresh=live]')).length;
      reporting += n;
      put(row.querySelector('.says'), fill(words.ready, { n, all: mine.length }));
      row.querySelector('meter').value = n;
      row.className = n === mine.length ? 'ok' : 'bad';
    }
    put(document.querySelector('[data-reporting]'), String(reporting));
  };

  const connected = yes => {
    if (yes) heard = performance.now();
    if (!yes && banner.hidden) put(banner, fill(words.lost, { time: clock(last) }));
    if (banner.hidden !== yes) banner.hidden = yes;
  };
  const listen = (source, name, act) => source.addEventListener(name, event => {
    connected(true);
    try { act(JSON.parse(event.data)); } catch (error) { console.error(error); }
  });
  let source;
  const open = () => {
    if (source) source.close();
    heard = performance.now();
    source = new EventSource(data.events);
    source.onopen = () => connected(true);
    source.onerror = () => connected(false);
    listen(source, 'values', list => list.forEach(value));
    listen(source, 'alert', alert);
    listen(source, 'station', station);
    listen(source, 'status', status => {
      base = Date.parse(status.now) - performance.now();
      count(status.active_alerts);
    });
  };
  open();

  setInterval(() => {
    for (const time of all('[data-at]')) if (+time.dataset.at) put(time, age(now() - +time.dataset.at));
    for (const box of all('[data-limit]')) {
      const live = box.querySelector('[data-fresh=live] [data-at]');
      if (!live || now() - +live.dataset.at <= +box.dataset.limit) continue;
      fresh(box.dataset.station, 'stale');
      if (box.dataset.level === 'normal') for (const each of stations.get(box.dataset.station)) level(each, 'none');
    }
    if (changed) recount();
    /* A browser that gave up does not come back by itself. */
    if (performance.now() - heard > (source.readyState === 2 ? 5000 : 40000)) { connected(false); open(); }
  }, 1000);
})();
