/* How an open page stays current: src/live.rs. All words come from the page. */
(() => {
  const data = document.body.dataset, lang = document.documentElement.lang;
  if (!data.events) return;
  const all = (selector, root) => [...(root || document).querySelectorAll(selector)];
  const byId = id => document.getElementById(id);
  const words = JSON.parse(data.words), banner = byId('disconnected'), news = byId('news');
  const order = ['awas', 'siaga', 'waspada', 'none', 'normal'];
  let base, last = +data.now, heard = performance.now(), after, behind = false, source, changed;
  let cells, elements, known, pins;

  const now = () => base + performance.now();
  const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, key) => values[key]);
  const put = (element, text) => { if (element && element.textContent !== text) element.textContent = text; };
  const set = (element, key, value) => element.dataset[key] !== value && (element.dataset[key] = value, true);
  const age = ms => {
    if (ms < -60000) return words.future;
    const s = Math.floor(ms / 1000);
    if (s < 1) return words.now;
    const [unit, n] = s < 60 ? ['second', s] : s < 3600 ? ['minute', s / 60 | 0]
      : s < 172800 ? ['hour', s / 3600 | 0] : ['day', s / 86400 | 0];
    return fill(words[unit + (n === 1 ? '_one' : '_many')], { n });
  };
  const brief = ms => new Date(ms + 60000 * data.offset).toISOString().slice(11, 16).replace(':', lang === 'id' ? '.' : ':');
  const clock = ms => brief(ms) + ' ' + data.zone;
  const tell = (time, at) => {
    if (!time || +time.dataset.at >= at) return;
    time.dataset.at = at;
    if (time.dateTime) time.dateTime = new Date(at).toISOString();
    put(time, age(now() - at));
  };

  /* What the page holds, found anew after parts of it have been replaced. */
  const group = key => all(`[data-${key}]`).reduce((map, element) => {
    const name = element.dataset[key];
    return map.set(name, (map.get(name) || []).concat(element));
  }, new Map());
  const index = () => {
    base = +data.now - performance.now();
    after = data.after;
    cells = group('datastream');
    elements = group('station');
    pins = all('[data-stations]');
    known = new Map(all('[data-station][data-until]').map(({ dataset }) => [dataset.station, {
      worst: order.indexOf(dataset.level) < 3 ? dataset.level : 'normal',
      until: +dataset.until,
      away: dataset.fresh === 'offline' || !!document.querySelector(
        `[data-station="${CSS.escape(dataset.station)}"] .freshness[data-fresh=offline]`),
    }]));
  };

  /* The rules of the server: gather.rs. */
  const freshness = station => !station.until ? 'never' : station.away ? 'offline' : now() <= station.until ? 'live' : 'stale';
  const level = station => station.worst !== 'normal' ? station.worst : now() <= station.until ? 'normal' : 'none';

  const mark = (element, key) => {
    if (!set(element, 'level', key)) return;
    changed = true;
    /* Its own badge only: a station's page also lists alerts long over. */
    for (const word of all('.head>.badge .word, .who>.badge .word', element)) put(word, words[key]);
    for (const use of all('.head>.badge use, .who>.badge use, :scope>use', element)) use.setAttribute('href', '#lv-' + key);
  };
  const label = (pin, text) => {
    put(pin.querySelector('title'), text);
    if (pin.getAttribute('aria-label') !== text) pin.setAttribute('aria-label', text);
  };
  const paint = (id, at) => {
    const station = known.get(id);
    if (!station) return;
    const fresh = freshness(station), key = level(station);
    for (const element of elements.get(id)) {
      mark(element, key);
      const line = element.querySelector('.freshness');
      if (line) {
        if (set(line, 'fresh', fresh)) {
          put(line.querySelector('.says'), words[(line.dataset.form || '') + fresh]);
          changed = true;
        }
        if (at) tell(line.querySelector('[data-at]'), at);
      } else if (element.matches('.pin')) {
        if (fresh === 'live') delete element.dataset.fresh; else set(element, 'fresh', 'stale');
        if (element.dataset.name) label(element, fill(words.pin, {
          name: element.dataset.name, state: words[key], fresh: words['brief-' + (fresh === 'live' ? 'live' : 'stale')],
        }));
      }
    }
  };
  /* What the page adds up, counted again. */
  const recount = () => {
    changed = false;
    for (const pin of pins) {
      const ids = pin.dataset.stations.split(' '), levels = ids.map(id => level(known.get(id)));
      const key = order.find(each => levels.includes(each));
      mark(pin, key);
      label(pin, fill(words.pins, { n: ids.length, city: pin.dataset.name, state: words[key] }));
    }
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
    changed = false;
  };
  const tick = () => {
    for (const time of all('[data-at]')) if (+time.dataset.at) put(time, age(now() - +time.dataset.at));
    for (const cell of all('[data-for]')) {
      const at = +cell.querySelector('[data-at]').dataset.at;
      cell.classList.toggle('stale', !!at && now() > at + +cell.dataset.for);
    }
    for (const id of known.keys()) paint(id);
    if (changed) recount();
  };

  const value = update => {
    const at = Date.parse(update.observed_at), station = known.get(update.station);
    last = Math.max(last, at);
    for (const cell of cells.get(update.datastream) || []) {
      const time = cell.querySelector('[data-at]');
      if (time && +time.dataset.at > at) continue;
      put(cell.querySelector('.value'), update.text ? update.text[lang] : '–');
      put(cell.querySelector('.reading'), update.reading ? update.reading[lang] : '–');
      put(cell.querySelector('.flag'), words[update.flag]);
      put(cell.querySelector('.why'), update.reasons.map(key => words[key]).join('; '));
      set(cell, 'flag', String(update.flag));
      cell.classList.toggle('stale', now() > at + +cell.dataset.for);
      tell(time, at);
    }
    if (!station) return;
    station.until = Math.max(station.until, Date.parse(update.current_until));
    station.away = !update.online;
    paint(update.station, at);
  };
  const count = active => {
    if (active == null) return;
    const number = byId('active-alerts');
    put(number, String(active));
    number.hidden = !active;
  };
  /* All of a station's alerts are acknowledged, or not. */
  const acknowledge = (id, at) => {
    for (const mark of all(`[data-station="${CSS.escape(id)}"] .hand`)) {
      mark.hidden = !at;
      mark.title = at ? fill(words.acknowledged, { time: clock(at) }) : '';
      put(mark.querySelector('b'), at ? brief(at) : '');
    }
  };
  const alert = update => {
    for (const cell of cells.get(update.datastream) || []) set(cell, 'level', update.datastream_level);
    const station = known.get(update.station), before = station && station.worst;
    if (station) {
      station.worst = update.station_level;
      paint(update.station);
      acknowledge(update.station, Date.parse(update.station_acknowledged_at));
    }
    if (station && before !== station.worst) {
      const name = document.querySelector(`[data-station="${CSS.escape(update.station)}"] :is(h1,h3)`);
      if (name) put(news, fill(words.news, { station: name.textContent, level: words[update.station_level] }));
    }
    count(update.active_alerts);
    if (document.querySelector('[data-follow]')) renewSoon(300);
  };
  /* The device leaves, or is back. */
  const told = update => {
    const station = known.get(update.station);
    if (!station) return;
    station.away = !update.online;
    paint(update.station);
  };

  const connected = yes => {
    if (yes) heard = performance.now();
    const shown = !yes || behind;
    if (shown && banner.hidden) put(banner, fill(words.lost, { time: clock(last) }));
    if (banner.hidden === shown) banner.hidden = !shown;
  };

  /* Puts the parts of a fresh page in place of those shown. What somebody has typed stays, and so does the focus. */
  const adopt = fresh => {
    const from = fresh.body.dataset, parts = root => all('[data-part]', root).map(part => part.dataset.part).join();
    /* Another version or form of page: only the browser can put that in place. */
    if (!from.events || document.scripts[0].src !== new URL(fresh.scripts[0].getAttribute('src'), location).href
      || parts(document) !== parts(fresh)) return location.reload();
    const focus = document.activeElement, key = each => each.tagName + (each.getAttribute('href') || each.name || each.textContent);
    const typed = all('main :is(input:not([type=hidden]),textarea)').filter(field => field.value !== field.defaultValue);
    for (const shell of all('[data-shell]')) {
      Object.assign(shell.dataset, fresh.querySelector(`[data-shell=${shell.dataset.shell}]`).dataset);
    }
    for (const part of all('[data-part]')) {
      const other = document.importNode(fresh.querySelector(`[data-part=${part.dataset.part}]`), true);
      if (!part.isEqualNode(other)) part.replaceWith(other);
    }
    for (const field of typed) {
      const again = document.querySelector(`main [name=${field.name}]`);
      if (again && again !== field) again.value = field.value;
    }
    if (!focus.isConnected) {
      const again = all('main :is(a,button,input,select,textarea)').find(each => key(each) === key(focus));
      if (again) again.focus({ preventScroll: true });
    }
    Object.assign(data, from);
    count(+fresh.getElementById('active-alerts').textContent);
    index();
    behind = false;
    tick();
    recount();
    open();
  };
  let renewing;
  const renew = async () => {
    try {
      const answer = await fetch(location.pathname + location.search, { cache: 'no-store', signal: AbortSignal.timeout(20000) });
      if (!answer.ok) throw answer.status;
      const text = await answer.text();
      renewing = 0;
      adopt(new DOMParser().parseFromString(text, 'text/html'));
    } catch (error) {
      behind = true;
      connected(false);
      renewing = setTimeout(renew, 4000 + 4000 * Math.random());
    }
  };
  const renewSoon = within => { renewing = renewing || setTimeout(renew, within + within * Math.random()); };

  const open = () => {
    if (source) source.close();
    heard = performance.now();
    source = new EventSource(data.events + (data.events.includes('?') ? '&' : '?') + 'after=' + after);
    const mine = source, listen = (name, act) => mine.addEventListener(name, event => {
      if (mine !== source) return;
      after = event.lastEventId || after;
      connected(true);
      try { act(JSON.parse(event.data)); } catch (error) { console.error(error); }
    });
    source.onopen = () => connected(true);
    source.onerror = () => connected(false);
    listen('values', list => { list.forEach(value); if (changed) recount(); });
    listen('alert', update => { alert(update); if (changed) recount(); });
    listen('station', update => { told(update); if (changed) recount(); });
    listen('status', status => {
      base = Date.parse(status.now) - performance.now();
      count(status.active_alerts);
    });
    /* What was missed is not known any more. Not all pages at once: they all heard it in the same moment. */
    listen('reload', () => {
      behind = true;
      connected(true);
      renewSoon(500);
    });
  };
  index();
  open();

  setInterval(() => {
    tick();
    /* Having given up, it does not come back. */
    if (performance.now() - heard > (source.readyState === 2 ? 5000 : 40000)) { connected(false); open(); }
  }, 1000);
})();
