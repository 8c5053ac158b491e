"""Makes templates.json: what transformers' chat templates (Python's Jinja in its sandbox) make of templates.

    python templates.py > templates.json      (transformers, jinja2)

`cases` are [template, text] or [template, null] where it is an error, "refused" where the template refuses; the
context of each is `context`, the time the fourth of July 2024, 09:05:03.12. `chats` are whole templates over messages.
"""

import json
from datetime import datetime

import jinja2
import transformers
from transformers.utils import chat_template_utils

CONTEXT = {
    "m": [
        {"role": "user", "content": "hi there", "n": 1, "flag": False},
        {
            "role": "assistant", "content": None, "n": 2.5,
            "tool_calls": [{"name": "f", "arguments": {"a": 1, "b": [1, 2, {"c": None}], "é": "ü<>&'\""}}],
        },
        {"role": "User", "content": "Zed", "n": -3},
    ],
    "s": "Hello, World", "e": "", "u": "naïve 😀 ß", "l": [3, 1, 2], "t": True, "f": False,
    "d": {"b": 1, "a": {"x": [1, 2, 3]}, "keys": 7, "_p": 4, "z": None}, "none_": None, "x": 5, "y": 2.5,
    "big": 12345678901234, "nl": "a\nb\r\nc\n\nd", "sp": "  pad\t ", "neg": -7,
}
# Lists are tried as a whole: a tuple's parts print as Python's repr.
EXPRESSIONS = r'''
1 ~ 2 ~ none ~ true
[1,'a',none,true,1.0,1e20,1e-7,0.1,-0.0] 
{'a':1,'b':[1],2:3,none:4,true:5}
(1,) ~ (1,2) ~ ()
'it\'s' ~ ["it's", 'a"b', 'a\'"b', 'x\n\t\\y', '\x00\x7f\xa0', '😀', '\u200b']
1/2 ~ ' ' ~ 4/2 ~ ' ' ~ 7//2 ~ ' ' ~ -7//2 ~ ' ' ~ -7%3 ~ ' ' ~ 7.5//2 ~ ' ' ~ 2**10 ~ ' ' ~ 2**-1 ~ ' ' ~ 2**0.5
2**3**2
2**100
-2**2
1 + true
true == 1, 1 == 1.0, '1' == 1, none == false, [] == (), [1,2]==[1.0,2], {}=={}
undefined_thing
undefined_thing == other_undefined
undefined_thing is none, undefined_thing is defined, undefined_thing is undefined, undefined_thing is string
undefined_thing.foo
undefined_thing + 'a'
undefined_thing ~ 'a'
undefined_thing|upper ~ undefined_thing|length ~ undefined_thing|list
undefined_thing|tojson
'a' in undefined_thing
x < y, x > y, 1 < 2 < 3, 1 < 3 < 2, 'a' < 'b', [1,2] < [1,3], (1,2) < (1,2,0)
1 < 'a'
'a' + 1
'a' * 3, 3 * 'ab', [1]*2, 'a' * -1, true * 3
'ab' in 'cab', 1 in [1,2], 'b' in d, 1 in 'a'
'a' not in 'b', not 1 in [2]
s[0], s[-1], s[1:4], s[::-1], s[5:], s[:-3], s[::2], s[100], s[10:2]
u[6], u|length, u[::-1], u[6:], u|reverse
l[0], l[-1], l[5], l[1:], l[::-1]
d.b, d['b'], d.a.x[1], d['a']['x'], d.nokey, d.keys(), d['keys'], d._p, d['_p'], d.z
d.items(), d.values(), d.keys()|list
d.get('b'), d.get('q'), d.get('q', 3), d.get('z', 3)
d.pop('b')
l.append(4)
l.index(1), l.count(1), l.copy()
m[0].content.upper(), m[0]['content'].title(), s.lower(), s.capitalize(), s.swapcase()
sp.strip(), sp.lstrip(), sp.rstrip(), 'xxaxx'.strip('x'), 'xyaxy'.lstrip('yx')
s.split(), s.split(','), s.split('l', 1), s.rsplit('l', 1), 'a,,b'.split(','), ' a  b '.split(), 'a b c'.split(none, 1), 'a b c'.rsplit(none,1), ''.split(), ''.split(',')
nl.splitlines(), nl.splitlines(true), nl.split('\n')
s.startswith('He'), s.endswith(('x','ld')), s.startswith('l', 2), s.find('o'), s.rfind('o'), s.find('zz'), s.count('l'), s.index('W')
s.replace('l','L'), s.replace('l','L',1), s.partition(', '), s.rpartition('l'), s.removeprefix('Hello'), s.removesuffix('World')
'-'.join(['a','b']), 'abc'.join('12'), s.center(20,'*'), s.ljust(15)~'|', s.rjust(15), '42'.zfill(5), '-42'.zfill(5)
'-'.join([1])
'abc'.isalpha(), '12'.isdigit(), 'a1'.isalnum(), ' '.isspace(), 'AB'.isupper(), 'ab'.islower(), ''.isalpha(), 'Ab Cd'.istitle()
'%s %d %5.2f %x %r %%' % ('a', 3, 2.5, 255, 'q')
'%(a)s-%(b)05d' % {'a': 1, 'b': 42}
'%s' % 'x', '%s' % [1,2], '%-5s|' % 'a', '%5s|' % 'a', '%+d' % 3, '%.3s' % 'abcdef', '%e' % 12345.678, '%g' % 0.0001, '%g' % 1e10, '%c' % 'x', '%5.1f%%' % 99.55
'%s %s' % 'x'
'{} {}'.format(1, 'a'), '{0}{1}{0}'.format('a','b'), '{a}'.format(a=3), '{:>5}|{:<5}|{:^5}|{:05d}|{:.2f}|{:,}|{:x}|{:%}'.format('a','b','c',42,3.14159,1234567,255,0.25), '{!r}'.format('q'), '{0[a]}'.format({'a':1}), '{{}}'.format()
'{:+d} {: d} {:#x} {:e} {:g} {:10.3f}| {:_} {:b}'.format(5, 5, 255, 12345.6789, 1e-5, 2.0, 1000000, 5)
1.0, 100000000000000000.0, 1e16, 123456789.123, 1e15, 1e-4, 1e-5, 3.0e5, 1.5e300, 0.1+0.2
7.0//2, 7.5%2, -7.5%2, 1e308*10, -1e308*10
big, big*big, 10**20
s|upper, s|lower, s|title, s|capitalize, 'hello-world foo(bar'|title, s|trim, s|length, s|first, s|last, s|reverse, s|list
l|sort, l|sort(reverse=true), l|max, l|min, l|sum, l|first, l|last, l|join('-'), l|length, l|reverse|list, l|unique|list
['b','A','c']|sort, ['b','A','c']|sort(case_sensitive=true), ['a','A','b']|unique|list
m|map(attribute='role')|list, m|map(attribute='content')|list, m|map('length')|list, m|map(attribute='nope', default='?')|list
m|map(attribute='role')|map('upper')|join(','), ['a','b']|map('replace','a','x')|list, m|selectattr('role','equalto','user')|list|length
m|selectattr('content')|map(attribute='role')|list, m|rejectattr('content')|map(attribute='role')|list, l|select('odd')|list, l|reject('odd')|list, l|select('gt',1)|list, [0,1,none,'a']|select|list
m|selectattr('role','in',['user','User'])|map(attribute='role')|list
m|selectattr('tool_calls','defined')|list|length, m|groupby('role')|map('first')|list, m|groupby('role')|length
m|sort(attribute='n')|map(attribute='n')|list, m|sum(attribute='n'), m|max(attribute='n')
d|dictsort, d|dictsort(reverse=true), d|items|list, d|length, d|list
none|string, 1|string, 1.5|string, true|string, none|default('x'), none|default('x', true), undefined_thing|default('x'), ''|default('x',true), undefined_thing|d(1)
'3'|int, '3.7'|int, 'x'|int, 'x'|int(5), 3.9|int, '0x1f'|int(0,16), none|int, '1_000'|int, ' 7 '|int, '3.5'|float, 'x'|float, 3|float, 'inf'|float, true|int
3.14159|round(2), 2.5|round, 3.5|round, 2.675|round(2), 7|round, 3.2|round(0,'ceil'), 3.7|round(method='floor'), 1234.5|round(-2), 1.45|round(1), 0.5|round, -3|abs, -3.5|abs
'a\nb\n\nc'|indent, 'a\nb\n\nc'|indent(2, true), 'a\nb\n\nc'|indent(2, blank=true), 'a\nb'|indent('> '), 'a\n'|indent
'foo bar baz qux'|truncate(9), 'foo bar baz qux'|truncate(9, true), 'foo bar baz'|truncate(10), 'foo bar baz qux'|truncate(11, false, '..', 0)
m[1].tool_calls|tojson
m[1].tool_calls|tojson(indent=2)
d|tojson(sort_keys=true), d|tojson(separators=(',',':')), u|tojson, u|tojson(ensure_ascii=true), [1.0,2,1e20,true,none]|tojson, 'a/b\u2028</script>\x7f\x01"\\'|tojson, ()|tojson, {}|tojson(indent=2), []|tojson(indent=4), {1:2, none:3, true:4, 1.5:1}|tojson
'%s-%s'|format('a', 1), '%(x)s'|format(x=2), 'abc'|replace('b','B'), 'aaa'|replace('a','b',2)
range(5)|list, range(2,8,3)|list, range(3), range(5,0,-2)|list, range(3)|length, range(3)[1], 2 in range(3)
range(200000)|length
dict(a=1,b=2), dict({'a':1}, b=2), namespace(a=1).a, dict([('a',1)])
'yes' if t else 'no', 'yes' if f, ('a' if f else 'b' if f else 'c')
t and 'a', f or 'b', none or 0 or 'z', not t, not none, 1 and 2 and 3, '' and 1
x is number, x is integer, y is float, t is integer, t is boolean, t is number, s is string, l is sequence, s is sequence, d is mapping, d is sequence, l is iterable, s is iterable, x is iterable, none is none, range is callable, x is odd, x is even, x is divisibleby 5, x is divisibleby(2), 'a' is in 'abc', 'a' is eq 'a', x is gt 3, x is sameas x, t is true, f is false, 'AB' is upper, 'ab' is lower, undefined_thing is sequence, m is not string, 'upper' is filter, 'odd' is test
x is not defined or y is defined and s is string
strftime_now('%d %b %Y'), strftime_now('%A %B %-d %H:%M:%S %p %j %y %I %U %W %V %G %u %w %e %D %F %T %R %h %c %x %X %% %f %Z|%z|')
none.foo
none['foo']
none[0]
1 if undefined_thing else 2
[1,2,3]|batch(2)|list, [1,2,3]|batch(2,'x')|list, [1,2,3,4,5]|slice(2)|list, [1,2,3,4,5]|slice(3,'x')|list
1_000, 0x1F, 0b101, 0o17, 1e3, 1.5E-3, 10.
(1 if t else 2) + 3
[].__class__
m[0].items()|list
m[0].role == 'user' and m[0]['n'] == 1
[1,2]+[3], (1,)+(2,), [1]+(2,)
'abc' > 'abd', 'Z' < 'a', 'é' > 'z', '😀' > '\uffff'
{'a':1} == {'a':1.0}, [1] != [2], none != 0, none == none
lst[0] if lst is defined else 'no'
joiner(',')()
cycler('a','b').next()
[3,1]|sort|first, []|first, []|last, []|max, []|join, ''|join
[1,'a']|sort
'a.b.c'.split('.')[-1], 'abc'[1], ('a','b')[0], {'a':{'b':1}}.a.b
"{% if x %}", '{{', "}}", '%}'
[[1,2],[3,4]]|map('first')|list, [[1,2],[3,4]]|map('join','-')|list, [[1,2],[3,4]]|sum(start=[])
[{'a':{'b':2}},{'a':{'b':1}}]|sort(attribute='a.b')|map(attribute='a.b')|list, [{'a':[5]}]|map(attribute='a.0')|list
[1,2,3]|length > 2, -1|abs, -x|abs, (-x)|abs, 2*3|string, 'a'~1|string
l is defined, l.0, l.1, d.a.x.2
m|selectattr('nope','undefined')|list|length
'Hello'|list, 'abc'|map('upper')|list, d|map('upper')|list
x if x is defined and x is not none else 'no'
[1, 2, 3,], {'a': 1,}, (1, 2,)
'a\\nb', "a\"b", 'a\'b'
neg|string|trim('-'), neg ~ '', -neg, +neg
'' is string, s is not none, s is not string
1 == 1 == 1, 1 != 2 != 1, 3 > 2 >= 2
x|nofilter
x is notest
'a b  c'.title(), "they're bill's".title(), "they're bill's"|title, 'x1y'.title()
[none, true]|map('string')|join(' '), [none,1]|join(','), [none]|first
'abc'.format_map({})
'{}'.format(none), '{}'.format([1,'a']), '{:s}'.format('a'), '{:d}'.format(3), '{:>{w}}'.format('a', w=4)
'a{b'.format()
'%d' % 3.7, '%i' % true, '%5d|%-5d|%05d' % (1,2,3), '% d' % 5, '%#x' % 255, '%.2e' % 0, '%s' % none, '%s%s' % (1,), '%d' % 'a'
2.0|string, 2.0|int, (4/2)|int, 10/3, 1e22, 1e21, 123456789012345680.0, 5e-324, 1.7976931348623157e308
'a' if not (x is defined) else 'b'
loop
'abc'|batch(2)|list, {'b':1,'a':2}|sort, {'b':1}|first
[1,2,3][-2:], [1,2,3][:5], [1,2,3][3:1], (1,2,3)[1:], 'abc'[5:], range(10)[2:5]
'a'|string|length|string ~ 'b', ('a')|upper, ['a']|first|upper
0.1|round(3), 1e10|round(2), 12.0|round, 12.345|round(1)
'1,234'|replace(',', '')|int + 1
True, False, None, true, none
l|tojson|length, l|string|length
'é'|urlencode, 'a&b=c'|urlencode, 'a'|urlencode
' a '|trim ~ '|', 'xxa'|trim('x'), none|trim
'\n a\n'.strip()|length, '\x1c'.strip()|length, '\ufeff'.strip()|length, '\x85'.strip()|length
'a\u2028b'.splitlines(), 'a\x0bb\x0cc\x1cd\x85e'.splitlines()
'A-B_c'.lower(), 'i'.upper(), 'straße'.casefold()
x in [5, 'a'], x not in l, 'b' in {'b': 1}, none in [none]
(x, y) == (5, 2.5), [x] == (x,), 'a' == 'a ', 0 == false, 0 == '', '' == none
m[-1].role, m[0:1]|length, m[:-1]|last is mapping
(m|last).role, m|length - 1, m|length is odd
d.a['x'][0], d['a'].x|length, d.get('a').get('x')|first, d.get('a', {}).get('nope', [])|length
'user' in m|map(attribute='role'), 'user' in (m|map(attribute='role')|list)
'%.15g' % 0.1, '%.0f' % 0.5, '%.0f' % 1.5, '%.1f' % 0.25, '%5s' % 'é😀', '%r' % 'é'
'{:.3}'.format('abcdef'), '{:.3}'.format(1234.5), '{:8.3}|'.format('abcdef'), '{:*^9}'.format('ab'), '{:=+5d}'.format(3), '{:c}'.format(65)
'{:.2%}'.format(0.1234), '{:,.2f}'.format(1234567.891), '{:010.2f}'.format(-3.14159), '{:<05}'.format(3), '{:n}'.format(5)
'''.strip("\n").split("\n")
STATEMENTS = [
"A\r\n{% for m in m %}\r\n{{ m.content }}\r\n{% endfor %}\r\nB\r\n", "A\rB\r", "a\n\n", "a\n", "\n", "", "x\n  {% if t %}\n  y\n  {% endif %}\nz",
"  {% if t %}y{% endif %}  ", "\t{%- if t -%}\n y \n{%- endif -%}\n z", "a {%+ if t %} b {% endif +%}\n c", "  {{ x }}\n  {{- y -}}  \n q", "{# c #}\nx", "  {# c #}\nx", "a{#- c -#}  b", "a  {#+ c +#}\nb",
"{% raw %}{{ x }}{% if %}{% endraw %}", "  {% raw %}\n a {% endraw %}\n b", "x {%- raw -%}  a  {%- endraw -%}  y", "{%raw%}{%endraw%}x",
"{% if x > 3 and not f %}a{% elif x %}b{% else %}c{% endif %}", "{% if none %}a{% elif f %}b{% else %}c{% endif %}", "{% if (t) %}{% if f %}{% else %}q{% endif %}{% endif %}",
"{% for a in l %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.depth }}{{ loop.depth0 }};{% endfor %}",
"{% for a in l %}{{ loop.previtem }}-{{ loop.nextitem }}|{{ loop.previtem is defined }}{{ loop.changed(a) }}{{ loop.cycle('x','y') }}{% endfor %}",
"{% for a in [] %}x{% else %}none{% endfor %}", "{% for a in undefined_thing %}x{% else %}none{% endfor %}", "{% for a in none %}x{% endfor %}", "{% for a in 5 %}x{% endfor %}", "{% for c in 'ab' %}{{ c }},{% endfor %}", "{% for k in d %}{{ k }}{% endfor %}", "{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}", "{% for k, v in d|dictsort %}{{ k }}={{ v }};{% endfor %}", "{% for (a, b), c in [((1,2),3)] %}{{ a+b+c }}{% endfor %}", "{% for a, b in [1] %}{% endfor %}", "{% for a, b in [(1,2,3)] %}{% endfor %}",
"{% for a in l if a > 1 %}{{ a }}{{ loop.length }}{{ loop.last }}{% else %}no{% endfor %}", "{% for a in l if a > 10 %}{{ a }}{% else %}no{% endfor %}", "{% for a in l if loop is defined %}{{ a }}{% endfor %}",
"{% for a in range(10) %}{% if a == 3 %}{% continue %}{% endif %}{% if a == 6 %}{% break %}{% endif %}{{ a }}{% endfor %}", "{% for i in l %}{% for j in l %}{% if j == 1 %}{% break %}{% endif %}{{ i }}{{ j }} {% endfor %}{% endfor %}", "{% for i in [[1,[2,[3]]]] recursive %}{% if i is iterable %}[{{ loop(i) }}]{% else %}{{ i }}{{ loop.depth }}{% endif %}{% endfor %}",
"{% for a in l %}{% else %}{% endfor %}{{ a }}", "{% set q = 1 %}{% for a in l %}{% set q = q + a %}{{ q }} {% endfor %}{{ q }}", "{% set ns = namespace(q=1) %}{% for a in l %}{% set ns.q = ns.q + a %}{% endfor %}{{ ns.q }}{{ ns.nope }}", "{% set d.b = 3 %}", "{% set nope.b = 3 %}", "{% set ns = namespace() %}{% set ns._x = 1 %}", "{% set ns = namespace({'a': 1}, b=2) %}{{ ns.a }}{{ ns.b }}{{ ns['a'] }}",
"{% set a, b = 1, 2 %}{{ a }}{{ b }}", "{% set a = 1, 2 %}{{ a }}", "{% set (a, b) = [1, 2] %}{{ b }}", "{% set a %}x{{ x }}y{% endset %}{{ a }}{{ a|length }}", "{% set a | upper | replace('X','q') %}x{{ x }}y{% endset %}{{ a }}", "{% set a %}{% set z = 3 %}{{ z }}{% endset %}{{ a }}{{ z }}",
"{% if t %}{% set w = 3 %}{% endif %}{{ w }}", "{% if f %}{% set x = 3 %}{% endif %}{{ x }}", "{% for i in l %}{{ x }}{% set x = i %}{{ x }};{% endfor %}{{ x }}", "{% set x = 9 %}{{ x }}{% for i in l %}{{ x }}{% endfor %}",
"{% macro f(a, b=2, c=a) %}[{{ a }}{{ b }}{{ c }}]{% endmacro %}{{ f(1) }}{{ f(1, 3) }}{{ f(b=5, a=4) }}{{ f() }}", "{% macro f(a) %}{{ a }}{{ varargs }}{{ kwargs }}{% endmacro %}{{ f(1,2,3,k=4) }}", "{% macro f(a) %}{{ a }}{% endmacro %}{{ f(1,2) }}", "{% macro f(a) %}{{ a }}{% endmacro %}{{ f(1,k=2) }}", "{% macro f(a) %}{% if a > 0 %}{{ a }}{{ f(a-1) }}{% endif %}{% endmacro %}{{ f(3) }}", "{% macro f() %}{{ x }}{{ w }}{% endmacro %}{% set w = 3 %}{{ f() }}", "{% set w = 1 %}{% macro f() %}{{ w }}{% endmacro %}{% set w = 2 %}{{ f() }}", "{% macro f() %}{% set x = 7 %}{% endmacro %}{{ f() }}{{ x }}", "{% for i in l %}{% macro f() %}{{ i }}{{ loop.index }}{% endmacro %}{{ f() }}{% endfor %}", "{% macro f() %}{{ loop.index }}{% endmacro %}{% for i in l %}{{ f() }}{% endfor %}", "{% macro f(a) %}  {{ a }}\n{% endmacro %}|{{ f(1)|trim }}|{{ f(2) }}|", "{% macro f(a, b) %}{% endmacro %}{{ f.name }}{{ f.arguments }}{{ f.catch_kwargs }}{{ f.caller }}",
"{% macro f(t) %}<{{ t }}>{{ caller() }}</{{ t }}>{% endmacro %}{% call f('b') %}hi {{ x }}{% endcall %}", "{% macro f(t) %}{{ caller(t, 2) }}{% endmacro %}{% call(a, b) f('b') %}{{ a }}-{{ b }}{% endcall %}", "{% macro f() %}{{ caller is defined }}{% endmacro %}{{ f() }}",
"{% filter upper %}abc {{ s }}{% endfilter %}", "{% filter replace('a','b')|upper %}aca{% endfilter %}", "{% with a = 1, b = x %}{{ a }}{{ b }}{% endwith %}{{ a }}", "{% with %}{% set q = 1 %}{{ q }}{% endwith %}{{ q }}", "{% with x = 1, y2 = x %}{{ y2 }}{% endwith %}",
"{% generation %}abc{{ x }}{% endgeneration %}\nq", "{% generation -%}  abc{%- endgeneration %}q", "{% for a in m %}{% generation %}\n{% if a.content %}{{ a.content }}{% endif %}\n{% endgeneration %}{% endfor %}", "{% generation %}{% set zz = 1 %}{% endgeneration %}{{ zz }}",
"{% block a %}x{{ x }}{% endblock %}", "{% block a %}x{% endblock a %}", "{% autoescape false %}<{{ '<' }}{% endautoescape %}", "{% print 1, 2 %}", "{% print x %}", "{% do l.append(1) %}", "{% include 'a' %}", "{% extends 'a' %}", "{% import 'a' as b %}", "{% unknown %}", "{% if x %}", "{% endif %}", "{{ x", "{% x", "{# x", "{{ }}", "{{ x y }}", "{% for in l %}{% endfor %}", "{% set 1 = 2 %}", "{{ (1 }}", "{{ [1) }}", "{{ 'a }}", "{% if x %}{% else %}{% elif y %}{% endif %}",
"{{ raise_exception('bad ' ~ x) }}", "{{ raise_exception() }}", "{% if x is defined %}{{ raise_exception('q') }}{% endif %}", "{{ undefined_fn() }}", "{{ x() }}", "{{ m.foo() }}", "{{ s.nope() }}",
"{% set u = m|map(attribute='role') %}{% for a in u %}{{ a }}{% endfor %}{% for a in u %}{{ a }}{% endfor %}", "{% set it = m|selectattr('content') %}{{ it|list|length }}{{ it|list|length }}",
"{% for g in m|groupby('role') %}{{ g.grouper }}:{{ g.list|length }},{{ g[0] }}{% endfor %}", "{% for role, items in m|groupby('role') %}{{ role }}{{ items|length }}{% endfor %}", "{% for b in [1,2,3]|batch(2) %}{{ b }}{% endfor %}",
"{{ x }}{{ y }}", "{{x}}\n{{y}}\n", "{{ x }}\n\n{%- if t %}\na{% endif %}", "{% if t %}\n\n  a\n{% endif %}\nb", "   {%- if t %} a{% endif %}", "\n   {% if t %}a{% endif %}\n   {{ x }}", "a{% if t %}   \nb{% endif %}", "  a {% if t %}b{% endif %}", "{{ '{%' }}{{ \"}}\" }}{{ '#}' }}", "{% set a = {'x': {'y': 1}} %}{{ a.x.y }}{{ {'a':{'b':2}}['a']['b'] }}", "{{ {'a': 1}}}", "{{ {'a':{'b':1}}}}", "{%if t%}a{%endif%}", "{{x}}{{-y}}{{ -y }}", "{{- x -}}", "{% set loop_messages = m[1:] if m[0].role == 'user' else m %}{{ loop_messages|length }}",
"{% set c = cycler('a','b') %}{{ c.next() }}{{ c.current }}{{ c.next() }}{{ c.next() }}{{ c.reset() }}{{ c.current }}", "{% set j = joiner('|') %}{% for a in l %}{{ j() }}{{ a }}{% endfor %}", "{% if not loop %}a{% endif %}", "{%- for a in l -%}\n  {{- a -}}\n{%- endfor -%}\n", "{% for a in l %}{{ a }}{{ ',' if not loop.last }}{% endfor %}", "{% for a in l %}\n{{ a }}\n{% endfor %}\n", "x{% for a in l -%}\n {{ a }} \n{%- endfor %}y", "{% if t -%} a {%- endif %} b", "{%- set x = 1 %}\n\nq", "{% set x = 1 -%}\n\nq", "a\r\n\r\n{{ x }}\r\n", "\u2028{% if t %}a{% endif %}", "\u00a0 {% if t %}a{% endif %}", "a\n\u00a0{% if t %}b{% endif %}", "a \u3000{%- if t %}b{% endif %}",
"{{ (m|last)['role'] }}{{ m[m|length - 1].role }}", "{% set s2 = m | map(attribute='role') | join(' ') %}{{ s2 }}", "{{ x if x }}{{ 'a' if f }}|{{ ('a' if f) is defined }}", "{{ not x == 5 }}{{ not (x == 5) }}", "{{ x is defined and x }}", "{{ 'a' is string if t else 'q' }}", "{{ x is none }}", "{{ -x ** 2 }}{{ 2 ** -1 }}", "{{ l[-1:][0] }}", "{{ 'a' ~ 1 + 2 }}", "{{ 1 + 2 ~ 'a' }}", "{{ 2 * 'ab' ~ 1 }}", "{{ x|string + 'a' }}", "{{ 'a' in 'abc' == true }}", "{{ 1 < x < 10 and 3 in l }}", "{{ l|length == 3 }}", "{{ s|upper|lower is string }}", "{{ loop is defined }}",
]

TOOLS = [{
    "type": "function",
    "function": {
        "name": "weather", "description": "The \"weather\" of <city> & more",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string", "description": "Where", "enum": ["a", "b"]},
                "days": {"type": ["integer", "null"], "default": 3},
                "deep": {"type": "array", "items": {"type": "object", "properties": {"x": {"type": "number"}}}},
            },
            "required": ["city"],
        },
    },
}]
CALL = {"type": "function", "id": "c1", "function": {"name": "weather", "arguments": {"city": "M\u00fcnster", "days": None, "ok": True, "f": 1.5}}}
CHATS = {
    "one": [{"role": "user", "content": "Hi!"}],
    "system": [
        {"role": "system", "content": "  Be brief.\n"}, {"role": "user", "content": "\"Hello\" & <me> \U0001f600"},
        {"role": "assistant", "content": " Sure. "}, {"role": "user", "content": "Why?\n\nMore"},
    ],
    "calls": [
        {"role": "user", "content": "Weather?"}, {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "name": "weather", "tool_call_id": "c1", "content": "{\"t\": 20}"},
        {"role": "assistant", "content": "20.", "reasoning": "easy"}, {"role": "user", "content": "Thanks"},
    ],
    "parts": [
        {"role": "user", "content": [{"type": "text", "text": "Hi"}, {"type": "text", "text": " there"}]},
        {"role": "assistant", "content": "<think>\nhm\n</think>\n\nYo"}, {"role": "user", "content": "x"},
    ],
    "wrong": [{"role": "assistant", "content": "a"}, {"role": "assistant", "content": "b"}],
}
TEMPLATES = {
    "dates and tools in the system message": """{{- bos_token }}
{%- if messages[0]['role'] == 'system' %}
    {%- set system = messages[0]['content'] | trim %}
    {%- set rest = messages[1:] %}
{%- else %}
    {%- set system = "" %}
    {%- set rest = messages %}
{%- endif %}
{{- "<|head|>system\n\n" }}
{%- if tools is not none %}{{- "Environment: tools\n" }}{%- endif %}
{{- "Today: " + strftime_now("%d %b %Y") + "\n\n" }}
{%- for t in tools or [] %}
    {{- t | tojson(indent=4) }}
    {{- "\n\n" }}
{%- endfor %}
{{- system }}<|end|>
{%- for message in rest %}
    {%- if not (message.role in ['tool', 'ipython'] or 'tool_calls' in message) %}
        {{- '<|head|>' + message['role'] + '<|/head|>\n\n' + (message['content'] | trim if message.content is string
            else message.content | map(attribute='text') | join) + '<|end|>' }}
    {%- elif 'tool_calls' in message %}
        {%- if not message.tool_calls | length == 1 %}{{- raise_exception("One call at once") }}{%- endif %}
        {%- set call = message.tool_calls[0].function %}
        {{- '{"name": "' + call.name + '", "parameters": ' }}{{- call.arguments | tojson }}{{- "}" }}
        {%- for name, value in call.arguments | items %}{{ name }}={{ value }}{{ ", " if not loop.last }}{% endfor %}
    {%- else %}
        {{- "<|head|>ipython\n\n" }}
        {%- if message.content is mapping or message.content is iterable %}{{- message.content | tojson }}{%- endif %}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|head|>assistant\n\n' }}{%- endif %}
""",
    "reasoning is kept behind the last question only": """{%- set ns = namespace(multi=true, last=messages | length - 1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages | length - 1) - loop.index0 %}
    {%- if ns.multi and message.role == "user" and message.content is string and not message.content.startswith('<r>') %}
        {%- set ns.multi = false %}
        {%- set ns.last = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- set content = message.content if message.content is string else '' %}
    {%- if message.role == "assistant" %}
        {%- set reasoning = '' %}
        {%- if message.reasoning_content is string %}
            {%- set reasoning = message.reasoning_content %}
        {%- elif '</think>' in content %}
            {%- set reasoning = content.split('</think>')[0].rstrip('\n').split('<think>')[-1].lstrip('\n') %}
            {%- set content = content.split('</think>')[-1].lstrip('\n') %}
        {%- endif %}
        {{- '<im>' + message.role + '\n' }}
        {%- if loop.index0 > ns.last or (loop.last or reasoning) %}{{- '<think>' + reasoning.strip('\n') + '</think>' }}{%- endif %}
        {{- content }}
        {%- for call in message.tool_calls or [] %}
            {%- if (loop.first and content) or (not loop.first) %}{{- '\n' }}{%- endif %}
            {%- set call = call.function if call.function else call %}
            {{- '<call>' ~ call.name ~ (call.arguments if call.arguments is string else call.arguments | tojson) }}
        {%- endfor %}
        {{- '</im>\n' }}
    {%- elif message.role == "tool" %}
        {%- if loop.first or (messages[loop.index0 - 1].role != "tool") %}{{- '<im>user' }}{%- endif %}
        {{- content }}{%- if loop.last or loop.nextitem.role != "tool" %}{{- '</im>\n' }}{%- endif %}
    {%- else %}
        {{- '<im>' ~ message.role ~ '\n' ~ content ~ '</im>\n' }}
    {%- endif %}
{%- endfor %}
{%- if enable_thinking is defined and enable_thinking is false %}{{- '<think></think>' }}{%- endif %}
""",
    "types of tools by a macro": """{%- macro kind(spec, required=false) -%}
    {%- set basic = {"string": "str", "number": "float", "integer": "int", "null": "None"} %}
    {%- if spec.type is string and basic[spec.type] is defined -%}{{ basic[spec.type] }}
    {%- elif spec.type == "array" -%}list[{{ kind(spec['items']) }}]
    {%- elif spec.type == "object" -%}
        {%- if spec.get('additionalProperties') -%}dict[str, {{ kind(spec.additionalProperties) }}]
        {%- else -%}{ {%- for k, v in spec.properties.items() %}{{ k }}: {{ kind(v) }}{% if not loop.last %}, {% endif %}{%- endfor -%} }{%- endif -%}
    {%- elif spec.type is iterable -%}Union[{%- for t in spec.type -%}{{- kind({"type": t}) -}}{{ "," if not loop.last }}{%- endfor -%}]
    {%- else -%}Any{%- endif -%}
    {%- if required %}!{% endif -%}
{%- endmacro -%}
{% for tool in tools or [] %}
{% set f = tool.function %}
{{ f.name }}({% for name, spec in f.parameters.properties | dictsort %}{{ name }}: {{ kind(spec, name in f.parameters.required) }}{{ " = " ~ spec.default if spec.default is defined }}{% if not loop.last %}, {% endif %}{% endfor %}) - {{ f.description | e }}
{% endfor %}
{% for message in messages %}
{% generation %}
{{ message.role | upper }}: {{ message.content | default('-', true) }}
{% endgeneration %}
{% endfor %}
""",
    "roles alternate": """{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}
{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Roles must alternate: ' ~ loop.index) }}{% endif %}{% if (message['role'] == 'assistant') %}{% set role = 'model' %}{% else %}{% set role = message['role'] %}{% endif %}
{{ '<turn>' + role + '\n' }}{% if message.content is string %}{{ message.content | trim }}{% else %}{% for part in message.content %}{% if part.type == 'text' %}{{ part.text }}{% else %}{% continue %}{% endif %}{% endfor %}{% endif %}{{ '<end>\n' }}{% endfor %}
{% if add_generation_prompt %}{{'<turn>model\n'}}{% endif %}
""",
}


class Fixed(datetime):
    @classmethod
    def now(cls, tz=None):
        return cls(2024, 7, 4, 9, 5, 3, 120000)


def rendered(template, context):
    try:
        return chat_template_utils._cached_compile_jinja_template(template).render(**context)
    except jinja2.exceptions.TemplateError as error:
        return {"refused": str(error)} if type(error) is jinja2.exceptions.TemplateError else None
    except Exception:
        return None


def chat(template, messages, tools, add):
    special = {"bos_token": "<s>", "eos_token": "</s>"}
    plain = chat_template_utils._normalize_chat_messages(messages)
    try:
        text, _ = chat_template_utils.render_jinja_template(
            conversations=[plain], tools=tools, chat_template=template, add_generation_prompt=add, **special
        )
        return text[0]
    except jinja2.exceptions.TemplateError as error:
        return {"refused": str(error)} if type(error) is jinja2.exceptions.TemplateError else None
    except Exception:
        return None


def main():
    chat_template_utils.datetime = Fixed
    templates = ["{{ " + e + " }}" for e in EXPRESSIONS] + STATEMENTS
    print(json.dumps({
        "made": f"jinja2 {jinja2.__version__}, transformers {transformers.__version__}",
        "context": CONTEXT,
        "cases": [[t, rendered(t, CONTEXT)] for t in templates],
        "tools": TOOLS,
        "chats": CHATS,
        "templates": TEMPLATES,
        "rendered": [
            {"template": t, "chat": c, "tools": tools is not None, "add": add, "text": chat(TEMPLATES[t], CHATS[c], tools, add)}
            for t in TEMPLATES for c in CHATS for tools, add in [(None, True), (None, False), (TOOLS, True)]
        ],
    }, indent=1))


main()
