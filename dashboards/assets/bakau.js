/* Events: src/live.rs. All words come from the page. */
(() => {
  const body = document.body, data = body.dataset;
  if (!data.events) return;
  const ages = JSON.parse(data.ages), words = JSON.parse(data.words), lang = document.documentElement.lang;
  const all = (selector, root) => [...(root || document).querySelectorAll(selector)];
  const banner = document.getElementById('disconnected');
  let base = +data.now - performance.now(), heard = performance.now(), cells = new Map();
  for (const cell of all('[data-datastream]')) {
    const name = cell.dataset.datastream;
    cells.set(name, (cells.get(name) || []).concat(cell));
  }

  const now = () => base + performance.now();
  const age = ms => {
    if (ms < -60000) return ages.future;
    const s = Math.floor(ms / 1000);
    if (s < 1) return ages.now;
    const [unit, n] = s < 60 ? ['second', s] : s < 3600 ? ['minute', s / 60 | 0]
      : s < 172800 ? ['hour', s / 3600 | 0] : ['day', s / 86400 | 0];
    return ages[unit + (n === 1 ? '_one' : '_many')].replace('{n}', n);
  };
  const put = (element, text) => { if (element && element.textContent !== text) element.textContent = text; };
  const level = (element, key) => {
    if (!element || element.dataset.level === key) return;
    element.dataset.level = key;
    for (const badge of all('.badge', element)) {
      put(badge.querySelector('.word'), words[key]);
      const use = badge.querySelector('use');
      if (use) use.setAttribute('href', '#lv-' + key);
    }
  };
  const tell = (time, at) => {
    if (!time || +time.dataset.at >= at) return;
    time.dataset.at = at;
    time.dateTime = new Date(at).toISOString();
    put(time, age(now() - at));
  };

  const worst = station => ['awas', 'siaga', 'waspada']
    .find(key => station.querySelector(`[data-datastream][data-level=${key}]`)) || 'normal';
  const value = update => {
    const at = Date.parse(update.observed_at);
    for (const cell of cells.get(update.datastream) || []) {
      const time = cell.querySelector('time');
      if (time && +time.dataset.at > at) continue;
      put(cell.querySelector('.value'), update.text ? update.text[lang] : '–');
      put(cell.querySelector('.flag'), words[update.flag]);
      cell.dataset.flag = update.flag;
      cell.classList.remove('stale');
      tell(time, at);
      const station = cell.closest('[data-station]');
      if (!station) continue;
      const fresh = station.querySelector('.freshness');
      if (fresh) {
        fresh.dataset.fresh = 'live';
        put(fresh.querySelector('.says'), data.updated);
        tell(fresh.querySelector('time'), at);
      }
      if (station.dataset.level === 'none') level(station, worst(station));
    }
  };
  const alert = update => {
    for (const station of all(`[data-station="${CSS.escape(update.station)}"]`)) level(station, update.station_level);
    for (const cell of cells.get(update.datastream) || []) cell.dataset.level = update.datastream_level;
    const count = document.getElementById('active-alerts'), active = update.active_alerts;
    if (active == null) return;
    put(count, String(active));
    count.hidden = !active;
  };

  const connected = yes => { banner.hidden = yes; if (yes) heard = performance.now(); };
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
    listen(source, 'status', status => { base = Date.parse(status.now) - performance.now(); });
  };
  open();

  setInterval(() => {
    for (const time of all('time[data-at]')) if (+time.dataset.at) put(time, age(now() - +time.dataset.at));
    if (performance.now() - heard > 40000) { connected(false); open(); }
  }, 1000);
})();
