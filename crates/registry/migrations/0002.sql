-- A condition says itself what it is about. A rule about a source called 'store' was about the store. No data was
-- called silence.
UPDATE item SET json = json_remove(
    json_set(json, '$.condition', json(CASE
        WHEN json_type(json, '$.condition.threshold') IS NOT NULL THEN json_set(
            json_extract(json, '$.condition'), '$.threshold.target', json(json_extract(json, '$.target')))
        WHEN json_type(json, '$.condition.silence') IS NOT NULL THEN json_object('no_data', json_set(
            json_extract(json, '$.condition.silence'), '$.target', json(json_extract(json, '$.target'))))
        WHEN json_extract(json, '$.target.sources') IS NULL THEN json(json_extract(json, '$.condition'))
        WHEN json_extract(json, '$.target.sources') = 'store'
            THEN json_object('store_down', json(json_extract(json, '$.condition.source_down')))
        ELSE json_set(json_extract(json, '$.condition'), '$.source_down.mqtt_source', json_extract(json, '$.target.sources'))
    END)), '$.target')
WHERE kind = 'rule';
